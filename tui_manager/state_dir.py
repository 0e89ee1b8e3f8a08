"""The manager's state folder: made private, and held by one manager at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_manager_protos.rules.trusted_path import UntrustedPathError, trusted_path

from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.security.private_files import FOREIGN, make_folder

_LOCK = "manager.lock"


@contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Makes the folder when it is not there, closes it to other users (mode 0700), and locks it.

    Raises:
        AlreadyRunningError: another manager holds it.
        StorageError: it cannot be made or written, is another user's, or anybody can write there.
    """
    try:
        state_dir = _trusted(state_dir)
        make_folder(state_dir)
        _trusted(state_dir)  # also what was missing before, and is there now
        _close(state_dir)
        descriptor = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"The state folder {state_dir} cannot be written: {error.strerror}. "
            "Name another with --state-dir."
        ) from error
    try:
        _lock(descriptor, state_dir)
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _trusted(state_dir: Path) -> Path:
    """The folder's path without links. Whoever can change it can be the manager."""
    try:
        return trusted_path(state_dir)
    except UntrustedPathError as error:
        raise StorageError(
            f"The state folder {state_dir} cannot be trusted: {error}. "
            "Or name another with --state-dir."
        ) from None


def _close(state_dir: Path) -> None:
    """Takes group and others their rights. A folder where anybody may write, such as /tmp, is not
    the manager's alone: what lies there may be anybody's, and closing it would harm others. Nor is
    one of another user, who could replace what lies there: root can use it, and must not."""
    found = state_dir.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        raise StorageError(
            f"The state folder {state_dir} belongs to another user (number {found.st_uid}), who "
            "could replace the manager's keys. Run the manager as that user, give the folder to "
            f"this one (chown {os.geteuid()} {state_dir}), or name another with --state-dir."
        )
    if mode & stat.S_IWOTH:
        raise StorageError(
            f"Anybody can write in the state folder {state_dir} (mode {mode:04o}). If it is meant "
            f"for the manager alone: chmod 700 {state_dir}. If not, name another with --state-dir."
        )
    if mode & FOREIGN:
        state_dir.chmod(0o700)


def _lock(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise AlreadyRunningError(
            f"A manager already runs on {state_dir} (process {owner})."
        ) from None
