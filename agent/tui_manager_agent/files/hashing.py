"""The SHA-256 of files, piece by piece."""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash


_BLOCK = 256 * 1024  # bytes
_ZEROS = bytes(_BLOCK)


def new_sha256() -> Hash:
    """A hash of nothing yet."""
    from hashlib import sha256  # here, because it loads OpenSSL, which costs memory

    return sha256()


def hash_file(descriptor: int, size: int, check: Callable[[], None]) -> Hash:
    """The hash of the first `size` bytes of a file, or of all if it is shorter.

    Calls `check` before each piece; it raises what ends the work. Raises OSError.
    """
    hashed = new_sha256()
    block = memoryview(bytearray(min(_BLOCK, size)))  # one for all: new memory costs more
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        file.seek(0)
        while size:
            check()
            count = file.readinto(block[:size])
            if not count:
                break
            hashed.update(block[:count])
            size -= count
    return hashed


def add_zeros(hashed: Hash, count: int, check: Callable[[], None]) -> None:
    """Adds so many zero bytes to a hash."""
    while count:
        check()
        length = min(count, _BLOCK)
        hashed.update(_ZEROS if length == _BLOCK else bytes(length))
        count -= length
