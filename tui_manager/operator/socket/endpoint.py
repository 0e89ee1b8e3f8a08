"""The operator's socket for both sides: what gRPC calls it, and what it may carry."""

from pathlib import Path
from urllib.parse import quote

MESSAGE_MAX = 64 * 1024 * 1024  # bytes either way; windows keep replies far below
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_metadata_size", 64 * 1024),
    # Else a window grows to megabytes, and a slow watcher reads changes that are minutes old.
    ("grpc.http2.bdp_probe", 0),
)


def socket_address(path: Path) -> str:
    """What gRPC calls the socket: a URI, in which `%`, `?`, `#` and blanks must be quoted."""
    return f"unix:{quote(bytes(path))}"
