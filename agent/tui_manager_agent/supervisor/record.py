"""Records on disk: `key=value` entries, each ended by NUL, as in /proc/PID/environ.

Nothing that reaches a shell can hold a NUL, and parsing costs no import. The files of an
execution's folder are named here, because the agent and the supervisor meet in them.
"""

from __future__ import annotations

import os
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPTED = "accepted"  # the order, in the journal, waiting for its turn
STARTING = "starting"  # the same file, handed to a supervisor
CLAIM = "claim"  # the same file, with whose it is instead of the order; locked while that one lives
RESULT = "result"  # the same file, with how it ended
CANCEL = "cancel"  # what the operator wants; SIGUSR1 makes the supervisor look at once
STDOUT = "stdout"
STDERR = "stderr"
LOG = "supervisor.log"

MARK = "TUI_MANAGER_EXECUTION_ID"  # in the environment of every process of a command
ENVIRONMENT = "env:"  # prefix of an order's entries that become environment variables
RESERVE = 8192  # bytes set aside for what must be written when its time comes, on a full disk too
_SEAL = "crc"
_BLOCK = 16384  # bytes


def encode(fields: Mapping[str, object]) -> bytes:
    """The bytes of a record. Keys must not hold `=`, and neither part NUL."""
    text = "".join(f"{key}={value}\0" for key, value in fields.items())
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> dict[str, str]:
    """The entries of a record; an entry that was cut short is left out."""
    whole, _, _ = data.rpartition(b"\0")
    entries = whole.rstrip(b"\0").decode("utf-8", "surrogateescape").split("\0")
    parts = (entry.partition("=") for entry in entries)
    return {key: value for key, found, value in parts if found and key != _SEAL}


def seal(data: bytes) -> bytes:
    """The same record with an end by which it is known to be whole, where a crash may cut it."""
    return data + encode({_SEAL: f"{crc32(data):08x}"})


def pad(data: bytes, size: int = RESERVE) -> bytes:
    """The same record in at least so many bytes of a file, which another can take later."""
    return data.ljust(size, b"\0")


def decode_sealed(data: bytes) -> dict[str, str]:
    """The entries of a record that was sealed; none if anything of it is missing."""
    inside, found, check = data.rstrip(b"\0").rpartition(f"\0{_SEAL}=".encode())
    inside += b"\0"
    return decode(inside) if found and check == b"%08x" % crc32(inside) else {}


def read(path: str) -> dict[str, str]:
    """The record in a file. Raises OSError, FileNotFoundError among them."""
    with open(path, "rb", buffering=0) as file:
        return decode(file.read())


def read_sealed(path: str) -> dict[str, str]:
    """The sealed record in a file; nothing unless it is whole. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        return decode_sealed(file.read())


def read_all(descriptor: int) -> bytes:
    """What a file holds from where its descriptor stands."""
    data = b""
    while block := os.read(descriptor, _BLOCK):  # no file object: it costs more than the reading
        data += block
    return data


def exists(folder: int, name: str) -> bool:
    """Whether a folder, of which this is a descriptor, has a file of that name."""
    return os.access(name, os.F_OK, dir_fd=folder)


def open_private(path: str, flags: int, folder: int | None = None) -> int:
    """An opener for files that their owner alone can read, whatever the umask: commands inherit
    that, so the agent leaves it alone. `folder`: a descriptor of that in which the path begins."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600, dir_fd=folder)


def create(path: str, data: bytes) -> None:
    """Makes a file, whose content need not last yet. Raises OSError (ENOSPC)."""
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


def write(folder: str, name: str, data: bytes) -> None:
    """Puts a file in place whole and for good: synced, renamed, and its folder synced.

    Space set aside before by `reserve` is used. Raises OSError.
    """
    draft = f"{folder}/{name}.draft"
    descriptor = open_private(draft, os.O_WRONLY | os.O_CREAT)
    try:
        write_all(descriptor, data)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(draft, f"{folder}/{name}")
    sync_folder(folder)


def reserve(folder: str, name: str) -> None:
    """Sets RESERVE bytes of disk aside for a later `write`. Raises OSError (ENOSPC)."""
    create(f"{folder}/{name}.draft", bytes(RESERVE))


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of it there. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def sync_folder(folder: str) -> None:
    """Makes names that were made, renamed or removed in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
