"""Whether there is room for what a task will store. A file of its own, because it is asked before
the transaction of a start. Room for the files of a copy is made in `files/make_room.py`."""

import shutil
from pathlib import Path

from tui_manager.domain.errors import StorageError


def check_free_disk(folder: Path | None, needed: int) -> None:
    """Raises StorageError if fewer bytes than `needed` are free where the database is; None:
    that is another machine."""
    if folder is None:
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError(
            f"{folder} is out of reach: {error.strerror}. Put it back in its place."
        ) from error
    if free < needed:
        raise StorageError(
            f"Only {free >> 20} MiB are free in {folder}; no task starts below "
            f"{needed >> 20} MiB. Free some space, or set free_disk."
        )
