"""Files of this machine that are named in forms: reads a script, and what it reads from stdin, to
send them with a task; says in which folder other files are."""

import asyncio
import os
import stat
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, Content, content_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten_middle

_FOLDER_WIDTH = 34  # cells


class NamedFiles:
    """The files that are named in the fields of a form.

    Attributes:
        contents: what they hold, by field.
        problems: why one could not be read.
    """

    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}
        self.problems: dict[str, str] = {}
        self._paths: dict[str, str] = {}  # that are read, or will be

    async def read(self, field: str, path: str) -> bool:
        """Reads the file of a field, or none; False if another one was named meanwhile."""
        self._paths[field] = path
        found, problem = None, ""
        try:
            found = await read_local_file(field, path) if path else None
        except InvalidInputError as error:
            problem = str(error)
        if self._paths[field] != path:
            return False
        self.contents.pop(field, None)
        self.problems.pop(field, None)
        if found is not None:
            self.contents[field] = found
        if problem:
            self.problems[field] = problem
        return True

    async def read_again(self, field: str, path: str) -> None:
        """Reads a file that may have changed. Raises InvalidInputError."""
        await self.read(field, path)
        if field in self.problems:
            raise InvalidInputError(field, self.problems[field])


async def read_local_file(field: str, path: str) -> Content:
    """What a file holds. A slow disk does not stop the screen.

    Args:
        field: that an error names.
        path: as typed; `~` is the home folder.

    Raises:
        InvalidInputError: it cannot be read, or is too long.
    """
    return await asyncio.to_thread(_read, field, path)


def _read(field: str, path: str) -> Content:
    try:
        # A pipe or a device would never end; it is opened without waiting, and refused.
        descriptor = os.open(
            Path(path).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        )
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidInputError(field, f"{path}: Not a file.")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(CONTENT_LENGTH + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InvalidInputError(field, f"{path}: {error.strerror or error}.") from None
    except (RuntimeError, ValueError) as error:  # no such home folder; a NUL in the path
        raise InvalidInputError(field, f"{path}: {error}.") from None
    if len(data) > CONTENT_LENGTH:
        raise InvalidInputError(field, f"{path}: It has more than {CONTENT_LENGTH} bytes.")
    return content_of(data)


def folder_hint() -> str:
    """Says in which folder a file is whose name has none: where the program was started."""
    try:
        folder = str(Path.cwd())
    except OSError:  # it was removed
        return "The folder here was removed: give a path."
    return f"In {shorten_middle(safe_line(folder), _FOLDER_WIDTH)}, or give a path."
