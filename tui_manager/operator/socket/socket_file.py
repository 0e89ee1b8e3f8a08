"""The operator's socket of a state folder: where a manager puts it, and where others find it.

It lies in the state folder. If that path is too long for a socket, it lies under a hashed name in
the runtime folder of the manager's user, and `operator.path` in the state folder says where:
whoever looks for it may have another runtime folder.
"""

import hashlib
import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.security.private_files import OTHER_USERS, private_folder, write_private

MESSAGE_MAX = 64 * 1024 * 1024  # bytes either way; windows keep replies far below
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_metadata_size", 64 * 1024),
    # Else a window grows to megabytes, and a slow watcher reads changes that are minutes old.
    ("grpc.http2.bdp_probe", 0),
)
_NAME = "operator.sock"
_POINTER = "operator.path"
_POINTER_MAX = 4096  # bytes read of it
PATH_MAX = 103  # bytes: what a sockaddr_un holds on macOS, and less than the 107 of Linux


def socket_path(state_dir: Path) -> Path:
    """Where a manager of this process puts its socket. Symbolic links are resolved, so that every
    name of a state folder leads to the same socket.

    Raises:
        StorageError: the path is too long in the runtime folder too, or that folder is another
            user's, who could pose as the manager there.
    """
    state_dir = state_dir.resolve()
    path = state_dir / _NAME
    if len(bytes(path)) <= PATH_MAX:
        return path
    path = _runtime_folder() / f"{_digest(state_dir)}.sock"
    if len(bytes(path)) > PATH_MAX:
        raise StorageError(
            f"The path of the operator's socket is too long for one: {path}. Name a shorter "
            "--state-dir, or set XDG_RUNTIME_DIR to a shorter folder."
        )
    for folder in (path.parent, path.parent.parent):
        _check_folder(folder)
    return path


def point_to(path: Path, state_dir: Path) -> None:
    """Says where the socket is, if it is not in the state folder, and removes a socket that an
    earlier manager has left elsewhere. The caller holds the lock of the state folder.

    Raises:
        StorageError: that cannot be written.
    """
    pointer = state_dir.resolve() / _POINTER
    before = _pointed_to(pointer)
    if before and before != path and _distrust(before, {os.geteuid()}) is None:
        before.unlink(missing_ok=True)
    if path.parent == pointer.parent:
        pointer.unlink(missing_ok=True)
    else:
        private_folder(pointer.parent)
        write_private(pointer, os.fsencode(path) + b"\n")


def forget(path: Path, state_dir: Path) -> None:
    """Removes the socket and what points to it."""
    pointer = state_dir.resolve() / _POINTER
    with suppress(OSError):
        if _pointed_to(pointer) == path:
            pointer.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def find_socket(state_dir: Path) -> Path | None:
    """The socket of the manager that runs on `state_dir`, or has left it; None: there is none.

    Raises:
        UnreachableError: what `operator.path` names is not to be trusted.
        PermissionError: the state folder is closed to this user.
    """
    state_dir = state_dir.resolve()
    pointer = state_dir / _POINTER
    path = _pointed_to(pointer)
    if path is None:
        path = state_dir / _NAME
        return path if len(bytes(path)) <= PATH_MAX else None
    if not os.path.lexists(path):
        return None
    if why := _distrust(path, trusted_users(state_dir)):
        raise UnreachableError(
            f"{pointer} names {path}, which is not trusted: {why}. If no manager runs on "
            f"{state_dir}, remove {pointer}."
        )
    return path


def trusted_users(state_dir: Path) -> set[int]:
    """Whose socket may be spoken to: one's own, and root's. Root speaks to the manager of the state
    folder's owner too."""
    users = {os.geteuid(), 0}
    if os.geteuid() == 0:
        with suppress(OSError):
            users.add(state_dir.stat().st_uid)
    return users


def _distrust(path: Path, users: set[int]) -> str | None:
    """Why nobody may speak to what lies at `path`; None: they may."""
    try:
        found, folder = path.lstat(), path.parent.lstat()
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    if not path.is_absolute() or len(bytes(path)) > PATH_MAX or not stat.S_ISSOCK(found.st_mode):
        return "it is no socket"
    if found.st_uid not in users:
        return f"it belongs to another user (number {found.st_uid})"
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid not in {found.st_uid, 0}:
        return f"its folder belongs to another user (number {folder.st_uid})"
    if folder.st_mode & OTHER_USERS:
        return f"others can use its folder (mode {stat.S_IMODE(folder.st_mode):04o})"
    return None


def _pointed_to(pointer: Path) -> Path | None:
    """The path that a pointer holds; None when there is none, or it cannot be one."""
    try:
        descriptor = os.open(pointer, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        text = file.read(_POINTER_MAX).removesuffix(b"\n")
    return None if not text or b"\0" in text else Path(os.fsdecode(text))


def _digest(state_dir: Path) -> str:
    return hashlib.sha256(bytes(state_dir)).hexdigest()[:24]


def _runtime_folder() -> Path:
    from platformdirs import user_runtime_path  # few managers need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so when XDG_RUNTIME_DIR is not set; /tmp will do
        return user_runtime_path("tui-manager")


def _check_folder(folder: Path) -> None:
    try:
        owner = folder.lstat().st_uid
    except FileNotFoundError:
        return
    if owner not in (os.geteuid(), 0):
        raise StorageError(
            f"The folder {folder} belongs to another user (number {owner}): whoever answers "
            "there could be anybody. Set XDG_RUNTIME_DIR to a folder of your own, or name a "
            "shorter --state-dir."
        )


def socket_address(path: Path) -> str:
    """What gRPC calls the socket: a URI, in which `%`, `?`, `#` and blanks must be quoted."""
    return f"unix:{quote(bytes(path))}"
