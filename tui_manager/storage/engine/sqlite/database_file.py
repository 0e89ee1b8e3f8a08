"""Whether the files of the open database are still at their paths.

An open file can be written after its folder was moved, deleted or covered by a mount. What is
committed then may be lost at the next start, and the agents have deleted their copy. So nothing is
written until the files are back.
"""

import os
from pathlib import Path

from tui_manager.domain.errors import StorageError


class DatabaseFiles:
    """The files of an open database: the database and its write-ahead log."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: of the database, which is open and has a log.

        Raises:
            OSError: a file cannot be found.
        """
        paths = (path, path.with_name(f"{path.name}-wal"))
        self._files = {each: _identity(each) for each in paths}

    @property
    def problem(self) -> str:
        """Why nothing may be written now, as a sentence for the operator; empty: it may."""
        for path, identity in self._files.items():
            try:
                found = _identity(path)
            except OSError as error:
                return (
                    f"{path} is out of reach: {error.strerror}. Put its folder back in its place; "
                    "the manager goes on then."
                )
            if found != identity:
                return (
                    f"{path} is another file than the one that this manager has open. Put that one "
                    "back in its place, or stop the manager and start it again."
                )
        return ""

    def check(self) -> None:
        """Raises StorageError while a file is missing or is another one."""
        if problem := self.problem:
            raise StorageError(problem)


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
