"""Gives the files of this machine to the manager before a task is made that copies them."""

import asyncio
import time
from collections.abc import Callable

from tui_manager.domain.errors import UnreachableError
from tui_manager.operator.file_calls import FileCalls
from tui_manager.operator.local_files.source_bytes import Sources

PATIENCE = 10.0  # seconds without a manager after which an upload ends
_RETRY_AFTER = 0.5  # seconds

OnUpload = Callable[[int, int], None]


async def upload(
    operator: FileCalls,
    sources: Sources,
    on_progress: OnUpload | None = None,
    *,
    patience: float = PATIENCE,
) -> None:
    """Stores the files with the manager. What it has already is not sent. If the manager is lost,
    tries again, and goes on at the byte where it stopped.

    Args:
        on_progress: is called with the bytes that the manager has, and the bytes of all. Another
            thread may call it.
        patience: seconds without an answer after which the manager counts as lost.

    Raises:
        UnreachableError: the manager is lost. The next upload goes on.
        InvalidInputError: ("files") a file has changed, or cannot be read.
        StorageError: the manager has no room.
    """
    files = sources.files
    stored, heard_at = 0, time.monotonic()

    def take(number: int) -> None:
        nonlocal stored, heard_at
        if number > stored:
            stored, heard_at = number, time.monotonic()
        if on_progress is not None:
            on_progress(number, files.size)

    while True:
        try:
            return await operator.store_files(files, sources.read, take)
        except UnreachableError as error:
            if time.monotonic() - heard_at >= patience:
                raise UnreachableError(
                    f"{error} No task was made. The manager has {stored:,} of {files.size:,} "
                    "bytes; the same command again sends the others."
                ) from error
        await asyncio.sleep(_RETRY_AFTER)
