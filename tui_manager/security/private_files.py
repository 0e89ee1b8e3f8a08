"""Files of the state folder that only their owner can read, written atomically."""

import errno
import os
import stat
from pathlib import Path

from tui_manager.domain.errors import StorageError

OTHER_USERS = 0o077  # the bits of a mode that give rights to other users
_SIZE_MAX = 1 << 20  # bytes; keys and certificates are much smaller


def private_folder(folder: Path) -> None:
    """Makes a folder with mode 0700, or gives that mode to the one that is there.

    Raises:
        StorageError: it cannot be made, or belongs to somebody else.
    """
    try:
        make_folder(folder)
        found = folder.stat()
        if found.st_uid == os.geteuid() and found.st_mode & OTHER_USERS:
            folder.chmod(0o700)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be made private: {error.strerror}."
        ) from error
    if found.st_uid != os.geteuid():  # root could use it, and its owner could change what is there
        raise StorageError(
            f"The folder {folder} belongs to another user (number {found.st_uid}). If nobody can "
            f"have put anything there: chown -R {os.geteuid()} {folder}."
        )


def make_folder(folder: Path) -> None:
    """Makes a folder and all above it that are missing, mode 0700. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def read_file(path: Path) -> tuple[bytes, int] | None:
    """What a file holds, and its mode; None when there is none.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_SIZE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > _SIZE_MAX:
        raise StorageError(f"{path} is too large to be a key or a certificate.")
    return data, mode


def read_private(path: Path) -> bytes | None:
    """What a secret file holds; None when there is none.

    Raises:
        StorageError: it cannot be read, or other users can read it. Then it may be known to
            others, and the operator must decide what to do.
    """
    found = read_file(path)
    if found is None:
        return None
    data, mode = found
    _refuse_others(path, mode)
    return data


def read_copied(path: Path) -> bytes | None:
    """What a secret file holds that an operator has copied to its place; None when there is none.

    Raises:
        StorageError: as `read_private`; or it belongs to another user, or is a link or no file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO would block
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(_SIZE_MAX) if stat.S_ISREG(found.st_mode) else b""
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _no_file(path) from error
        raise StorageError(
            f"{path} cannot be read: {error.strerror}. It must belong to the manager's user: "
            f"chown {os.geteuid()} {path}."
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise _no_file(path)
    if found.st_uid != os.geteuid():
        raise StorageError(
            f"{path} belongs to another user (number {found.st_uid}), who could change it. If "
            f"nobody can have done so: chown {os.geteuid()} {path}."
        )
    _refuse_others(path, stat.S_IMODE(found.st_mode))
    return data


def _no_file(path: Path) -> StorageError:
    return StorageError(f"{path} is a link, or no regular file. Copy the file itself there.")


def _refuse_others(path: Path, mode: int) -> None:
    if mode & OTHER_USERS:
        raise StorageError(
            f"Other users can get at {path} (mode {mode:04o}), so it may be a secret no more. If "
            f"nobody has read it: chmod 600 {path}. If somebody may have, SECURITY.md says what to "
            "do about a key that has leaked."
        )


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file durably and at once, mode 0600.

    Raises:
        StorageError: it cannot be written; what was there is there still.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            _write(partial, data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error


def _write(path: Path, data: bytes) -> None:
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # also when a crash has left a file of that name
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
