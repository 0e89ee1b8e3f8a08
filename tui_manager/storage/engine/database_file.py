"""Whether the open database still lies where its path says.

An open file can be written after its folder was moved away, deleted or covered by a mount. What is
committed then may be gone with the next start, and agents have forgotten it: nothing is written
until the files are back in their place.
"""

import os
from pathlib import Path

from tui_manager.domain.errors import StorageError


class Place:
    """The files of an open database: its own and the one of its log."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: of the database, which is open and has a log. Raises OSError.
        """
        paths = (path, path.with_name(f"{path.name}-wal"))
        self._files = {each: _identity(each) for each in paths}

    @property
    def problem(self) -> str:
        """Why nothing may be written now, a sentence for the operator; empty: it may."""
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
        """Raises StorageError while something is out of place."""
        if problem := self.problem:
            raise StorageError(problem)


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
