"""The operator's socket of a state folder, for both sides: where it lies, what gRPC may carry."""

import hashlib
import os
import warnings
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_runtime_path

from tui_manager.domain.errors import StorageError

_NAME = "operator.sock"
PATH_MAX = 103  # bytes: what a sockaddr_un holds on macOS, and less than the 107 of Linux

MESSAGE_MAX = 64 * 1024 * 1024  # bytes either way; windows keep replies far below
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_metadata_size", 64 * 1024),
    # Else a window grows to megabytes, and a slow watcher reads changes that are minutes old.
    ("grpc.http2.bdp_probe", 0),
)


def socket_path(state_dir: Path) -> Path:
    """The socket of the manager on `state_dir`.

    It lies in the state folder, or, where that path is too long for a socket, under a hashed name
    in the user's runtime folder. Symbolic links are resolved, so that every name of a state folder
    leads to the same socket.

    Raises:
        StorageError: the runtime folder is another user's, who could pose as the manager there.
    """
    state_dir = state_dir.resolve()
    path = state_dir / _NAME
    if len(bytes(path)) <= PATH_MAX:
        return path
    digest = hashlib.sha256(bytes(state_dir)).hexdigest()[:24]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so when XDG_RUNTIME_DIR is not set; /tmp will do
        folder = user_runtime_path("tui-manager")
    for each in (folder, folder.parent):
        _check_owner(each)
    return folder / f"{digest}.sock"


def _check_owner(folder: Path) -> None:
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
