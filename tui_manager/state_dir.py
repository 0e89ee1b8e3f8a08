"""The manager's state folder: made private, and held by one manager at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_manager.domain.errors import AlreadyRunningError, StorageError

_LOCK = "manager.lock"


@contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Makes the folder (mode 0700) when it is not there, and locks it.

    Raises:
        AlreadyRunningError: another manager holds it.
        StorageError: it cannot be made or written.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"The state folder {state_dir} cannot be written: {error.strerror}. "
            "Name another with --state-dir."
        ) from error
    try:
        _lock(descriptor, state_dir)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise AlreadyRunningError(
            f"A manager already runs on {state_dir} (process {owner})."
        ) from None
