"""Reads task files for the screen, without blocking it."""

import asyncio

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import TaskFile, read_task_file

_AT_ONCE = 32 * 1024  # characters, which are read in less time than a frame of the screen takes


async def read_beside(text: str, name: str) -> TaskFile:
    """What a task file says; a large one is read in a thread.

    Args:
        name: of the file, for errors.

    Raises:
        InvalidInputError: as `read_task_file` does.
    """
    if len(text) <= _AT_ONCE:
        return read_task_file(text, name)
    return await asyncio.to_thread(read_task_file, text, name)


class TaskFileReader:
    """Keeps what the last large task file said, so that the same text is read once.

    One thread at most reads, whatever is asked for meanwhile. It goes on if its caller is
    cancelled, because the next one asks for the same text most of the time.
    """

    def __init__(self) -> None:
        self._text = ""
        self._task_file: asyncio.Task[TaskFile | None] | None = None  # what `_text` says

    def known(self, text: str) -> TaskFile | None:
        """What a large one says if it has been read."""
        task = self._task_file
        return task.result() if task and task.done() and self._text == text else None

    async def read(self, text: str, name: str) -> TaskFile | None:
        """What it says; None: another version of the manager has stored it."""
        if len(text) <= _AT_ONCE:
            return await _read_or_none(text, name)
        while self._task_file is None or self._text != text:
            if self._task_file is not None and not self._task_file.done():
                await asyncio.wait((self._task_file,))
                continue
            self._text = text
            self._task_file = asyncio.create_task(_read_or_none(text, name))
        return await asyncio.shield(self._task_file)


async def _read_or_none(text: str, name: str) -> TaskFile | None:
    try:
        return await read_beside(text, name)
    except InvalidInputError:
        return None
