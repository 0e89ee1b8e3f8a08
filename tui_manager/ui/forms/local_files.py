"""Reads the files of this machine that a form sends with a task: a script, and what it reads from
stdin."""

import asyncio
import os
import stat
from pathlib import Path

from tui_manager.domain.content import CONTENT_LENGTH, Content, content_of
from tui_manager.domain.errors import InvalidInputError


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
