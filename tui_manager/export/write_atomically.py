"""Writes a file whole or not at all, whatever happens meanwhile."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tui_manager.domain.errors import InvalidInputError

_MODE = 0o666  # less what the umask takes away


@contextmanager
def write_atomically(path: Path, *, replace: bool = True) -> Iterator[BinaryIO]:
    """A file to write to, which is `path` if the block ends without an error. A regular file of
    this name is replaced, and keeps its mode; where a symbolic link leads to is replaced, and not
    the link. A device or a FIFO is written to as it is.

    Where the system has files without a name, nothing is left of a process that is killed.

    Args:
        replace: False: nothing of this name may be there.

    Raises:
        InvalidInputError: `path` is a folder, or in a folder that is not there.
        FileExistsError: it may not be replaced.
        OSError: it cannot be written.
    """
    mode = _mode_of(path)
    if mode is not None and not replace:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    target = path.resolve()
    if mode is not None and not (stat.S_ISREG(mode) and target.is_file()):  # or only a descriptor
        with path.open("wb") as file:
            yield file
        return
    partial = target.with_name(f".export-{secrets.token_hex(8)}.partial")
    nameless = _open_nameless(target.parent)
    try:
        with os.fdopen(_open_new(partial) if nameless is None else nameless, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            if nameless is not None:
                _give_name(file.fileno(), partial)
        if replace:
            partial.rename(target)
        else:
            _rename_to_new(partial, target)
        _sync(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def _mode_of(path: Path) -> int | None:
    """The mode of the file to which a path leads; None: there is none yet."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.resolve().parent.is_dir():
            raise InvalidInputError("output", f"There is no folder {path.parent}.") from None
        return None
    if stat.S_ISDIR(mode):
        raise InvalidInputError("output", f"{path} is a folder; name a file in it.")
    return mode


def _open_nameless(folder: Path) -> int | None:
    """A file without a name; None: not on this system, or this file system."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag or not Path("/proc/self/fd").is_dir():
        return None
    with suppress(OSError):
        return os.open(folder, flag | os.O_WRONLY | os.O_CLOEXEC, _MODE)
    return None


def _open_new(partial: Path) -> int:
    return os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _MODE)


def _give_name(descriptor: int, partial: Path) -> None:
    partial.unlink(missing_ok=True)
    with _opened(partial.parent) as folder:  # without a folder, Python would link the link in /proc
        name = f"/proc/self/fd/{descriptor}"
        os.link(name, partial, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)


def _rename_to_new(partial: Path, target: Path) -> None:
    """Raises FileExistsError if there is a file of the new name. Between a look and a rename one
    could appear; but some file systems, such as FAT, have no links."""
    try:
        target.hardlink_to(partial)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        partial.rename(target)


def _sync(path: Path) -> None:
    """Makes the new name durable."""
    with _opened(path) as folder:
        os.fsync(folder)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
