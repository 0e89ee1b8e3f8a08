"""Records on disk: `key=value` entries, each ended by NUL, as in /proc/PID/environ.

Nothing that reaches a shell can hold a NUL, and parsing costs no import. The files of an
execution's folder are named here, because both agent and supervisor use them.
"""

from __future__ import annotations

import os
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPTED = "accepted"  # the order, in the journal, waiting for its turn
STARTING = "starting"  # the same file, handed to a supervisor
CLAIM = "claim"  # the same file, with its owner instead of the order; locked while that lives
RESULT = "result"  # the same file, with how it ended
CANCEL = "cancel"  # the operator's request; SIGUSR1 makes the supervisor look at once
STDOUT = "stdout"
STDERR = "stderr"
SCRIPT = "script"  # what the order brings along to run
STDIN = "stdin"  # what it brings along for the command to read
LOG = "supervisor.log"
TRANSFER = "transfer"  # there if the order is a copy or a fetch; says when that began

MARK = "TUI_MANAGER_EXECUTION_ID"  # in the environment of every process of a command
FIFO = "bell"  # the entry of an order with the FIFO on which its supervisor notifies the agent
ENVIRONMENT = "env:"  # prefix of an order's entries that become environment variables
ARGUMENT = "argument:"  # prefix of those that are arguments of its script, counted from 0
RESERVE = 8192  # bytes of disk reserved for what must be written later, also on a full disk
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
    """The same record with a checksum, which shows whether a crash has cut it."""
    return data + encode({_SEAL: f"{crc32(data):08x}"})


def pad(data: bytes, size: int = RESERVE) -> bytes:
    """The same record with zeros up to this size, which a later record can use."""
    return data.ljust(size, b"\0")


def decode_sealed(data: bytes) -> dict[str, str]:
    """The entries of a sealed record; none if any part of it is missing."""
    inside, found, check = data.rstrip(b"\0").rpartition(f"\0{_SEAL}=".encode())
    inside += b"\0"
    return decode(inside) if found and check == b"%08x" % crc32(inside) else {}


def read(path: str) -> dict[str, str]:
    """The record in a file. Raises OSError, FileNotFoundError among them."""
    with open(path, "rb", buffering=0) as file:
        return decode(file.read())


def read_sealed(path: str) -> dict[str, str]:
    """The sealed record in a file; empty unless it is complete. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        return decode_sealed(file.read())


def read_all(descriptor: int) -> bytes:
    """The content of a file from the position of its descriptor on."""
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


def create(path: str, data: bytes, sync: bool = False) -> None:
    """Makes a file, and syncs it if asked to. Raises OSError (ENOSPC)."""
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT)
    try:
        write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(folder: str, name: str, data: bytes) -> None:
    """Writes a file atomically and durably: syncs it, renames it, syncs its folder.

    Uses the space that `reserve` has reserved. Raises OSError.
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
    """Reserves RESERVE bytes of disk for a later `write`. Raises OSError (ENOSPC)."""
    create(f"{folder}/{name}.draft", bytes(RESERVE))


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of it at an offset. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def sync_folder(folder: str) -> None:
    """Makes changes of names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
