"""Records on disk: `key=value` entries, each ended by NUL, as in /proc/PID/environ.

Nothing that reaches a shell can hold a NUL, and parsing costs no import. The files of an
execution's folder are named here, because the agent and the supervisor meet in them.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPTED = "accepted"  # the order, in the journal, waiting for its turn
STARTING = "starting"  # the same order, handed to a supervisor, which removes it: it holds secrets
CLAIM = "claim"  # locked as long as its supervisor lives
STARTED = "started"  # the shell was executed
RESULT = "result"
CANCEL = "cancel"  # what the operator wants; CONTROL wakes the supervisor to look
CONTROL = "control"  # FIFO
STDOUT = "stdout"
STDERR = "stderr"
LOG = "supervisor.log"

MARK = "TUI_MANAGER_EXECUTION_ID"  # in the environment of every process of a command
ENVIRONMENT = "env:"  # prefix of an order's entries that become environment variables
RESERVE = 8192  # bytes set aside for a result, so that a full disk cannot hold it up


def encode(fields: Mapping[str, object]) -> bytes:
    """The bytes of a record. Keys must not hold `=`, and neither part NUL."""
    text = "".join(f"{key}={value}\0" for key, value in fields.items())
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> dict[str, str]:
    """The entries of a record; an entry that was cut short is left out."""
    whole, _, _ = data.rpartition(b"\0")
    entries = whole.decode("utf-8", "surrogateescape").split("\0")
    return {key: value for key, found, value in (e.partition("=") for e in entries) if found}


def read(path: str) -> dict[str, str]:
    """The record in a file. Raises OSError, FileNotFoundError among them."""
    with open(path, "rb", buffering=0) as file:
        return decode(file.read())


def open_private(path: str, flags: int) -> int:
    """An opener for files that their owner alone can read, whatever the umask: commands inherit
    that, so the agent leaves it alone."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


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
    path = f"{folder}/{name}.draft"
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT)
    try:
        write_all(descriptor, bytes(RESERVE))
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: str) -> None:
    """Makes names that were made, renamed or removed in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
