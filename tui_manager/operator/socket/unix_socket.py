"""The operator's socket: its path, its address for gRPC, and the options of both sides,
such as the size of a message.

The socket is in the state folder. If this path is too long for a socket, it is in the runtime
folder of the manager's user, under a hashed name, and the file `operator.path` in the state folder
contains its path, because clients may have another runtime folder.
"""

import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.security.private_files import OTHER_USERS, private_folder, write_private

MESSAGE_MAX = 64 * 1024 * 1024  # bytes; replies are much smaller, because lists are read by windows
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_metadata_size", 64 * 1024),
    # With the probe a window grows to megabytes, and a slow watcher reads changes that are old.
    ("grpc.http2.bdp_probe", 0),
)
_NAME = "operator.sock"
_POINTER = "operator.path"
_POINTER_MAX = 4096  # bytes read of it
PATH_MAX = 103  # bytes: what a sockaddr_un holds on macOS, and less than the 107 of Linux


def socket_path(state_dir: Path) -> Path:
    """The path of the socket that this process makes. Symbolic links are resolved, so that all
    paths of a state folder lead to the same socket.

    Raises:
        StorageError: the path is too long in the runtime folder too, or that folder belongs to
            another user, who could pretend to be the manager.
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
    """Writes `operator.path` if the socket is not in the state folder, and removes a socket that an
    earlier manager left elsewhere. The caller holds the lock of the state folder.

    Raises:
        StorageError: the file cannot be written.
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
    """Removes the socket and `operator.path`."""
    pointer = state_dir.resolve() / _POINTER
    with suppress(OSError):
        if _pointed_to(pointer) == path:
            pointer.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def find_socket(state_dir: Path) -> Path | None:
    """The socket of the manager that runs on `state_dir` or ran there; None: there is none.

    Raises:
        UnreachableError: the path in `operator.path` cannot be trusted.
        PermissionError: this user may not read the state folder.
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
    """The users whose socket is trusted: this user and root; for root also the owner of the state
    folder."""
    users = {os.geteuid(), 0}
    if os.geteuid() == 0:
        with suppress(OSError):
            users.add(state_dir.stat().st_uid)
    return users


def _distrust(path: Path, users: set[int]) -> str | None:
    """Why the socket at `path` cannot be trusted; None: it can."""
    try:
        found, folder = path.lstat(), path.parent.lstat()
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if not path.is_absolute() or len(bytes(path)) > PATH_MAX or not stat.S_ISSOCK(found.st_mode):
        return "it is not a socket"
    if found.st_uid not in users:
        return f"it belongs to another user (number {found.st_uid})"
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid not in {found.st_uid, 0}:
        return f"its folder belongs to another user (number {folder.st_uid})"
    if folder.st_mode & OTHER_USERS:
        return f"others can use its folder (mode {stat.S_IMODE(folder.st_mode):04o})"
    return None


def _pointed_to(pointer: Path) -> Path | None:
    """The path in `operator.path`; None if there is no file or no path in it."""
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
    import hashlib  # not at the top: it is seldom needed

    return hashlib.sha256(bytes(state_dir)).hexdigest()[:24]


def _runtime_folder() -> Path:
    from platformdirs import user_runtime_path  # not at the top: it is seldom needed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns if XDG_RUNTIME_DIR is not set; then it uses /tmp
        return user_runtime_path("tui-manager")


def _check_folder(folder: Path) -> None:
    try:
        owner = folder.lstat().st_uid
    except FileNotFoundError:
        return
    if owner not in (os.geteuid(), 0):
        raise StorageError(
            f"The folder {folder} belongs to another user (number {owner}): who could "
            "pretend to be the manager. Set XDG_RUNTIME_DIR to a folder of your own, or name a "
            "shorter --state-dir."
        )


def socket_address(path: Path) -> str:
    """The socket as a URI for gRPC, in which `%`, `?`, `#` and blanks are quoted."""
    return f"unix:{quote(bytes(path))}"
