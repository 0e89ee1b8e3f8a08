"""The manifest of a file set: which files there are, and where their bytes are in the data.

It is a list of records, so that it is written and read piece by piece, whatever the number of
files: the length of the path (2 bytes), the kind (1 byte), the mode (2), the size (8), the offset
(8), all big-endian; of a file the 32 bytes of its SHA-256; then the path. The data is the bytes of
the distinct files, one after another in the order in which the entries name them first. Both sides
check a manifest that they get.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import BinaryIO

from tui_manager_protos.lazy_dataclass import dataclass

PART_LENGTH = 255  # bytes of one part of a path: what file systems take
PATH_LENGTH = 4095  # bytes of a path: Linux takes 4,096 with the NUL (PATH_MAX)
SIZE_MAX = 1 << 62  # bytes of a file
_NUMBERS = struct.Struct(">HBHQQ")
_HASH = 32  # bytes
_MODE_MAX = 0o7777
_SHOWN = 80  # bytes of a wrong path in an error
_CUT = "A manifest ends within a record."


class ManifestError(ValueError):
    """A manifest that breaks the rules; a sentence."""


class EntryKind(StrEnum):
    """What is at a path."""

    FILE = "file"
    FOLDER = "folder"


_KINDS = {EntryKind.FILE: 1, EntryKind.FOLDER: 2}
_KIND_OF = {number: kind for kind, number in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder.

    Attributes:
        path: relative; parts with `/` between them, none of them empty, `.` or `..`.
        mode: permission bits.
        size: bytes; 0 of a folder.
        sha256: of the file's bytes, 32 bytes; empty of a folder.
        offset: of its first byte in the data; 0 of a folder.
    """

    path: bytes
    kind: EntryKind
    mode: int
    size: int = 0
    sha256: bytes = b""
    offset: int = 0


def encode(entry: Entry) -> bytes:
    """The record of an entry."""
    kind = _KINDS[entry.kind]
    numbers = (len(entry.path), kind, entry.mode, entry.size, entry.offset)
    return _NUMBERS.pack(*numbers) + entry.sha256 + entry.path


def read_entries(file: BinaryIO) -> Iterator[Entry]:
    """The entries of a manifest, from the position of the file on.

    Raises:
        ManifestError: a record is not whole, or its entry breaks a rule.
    """
    while numbers := file.read(_NUMBERS.size):
        if len(numbers) < _NUMBERS.size:
            raise ManifestError(_CUT)
        length, number, mode, size, offset = _NUMBERS.unpack(numbers)
        kind = _KIND_OF.get(number)
        if kind is None:
            raise ManifestError(f"An entry of a manifest has the unknown kind {number}.")
        is_file = kind is EntryKind.FILE
        sha256 = _read(file, _HASH) if is_file else b""
        path = _read(file, length)
        check_path(path)
        if mode > _MODE_MAX or max(size, offset) > SIZE_MAX or (not is_file and size + offset):
            raise ManifestError(f"The entry {path[:_SHOWN]!r} has a wrong mode, size or offset.")
        yield Entry(path, kind, mode, size, sha256, offset)


def _read(file: BinaryIO, size: int) -> bytes:
    """So many bytes. Raises ManifestError if there are fewer."""
    data = file.read(size)
    if len(data) < size:
        raise ManifestError(_CUT)
    return data


def check_path(path: bytes) -> None:
    """Raises ManifestError unless an entry may have this path."""
    parts = path.split(b"/")
    if len(path) > PATH_LENGTH or b"\0" in path:
        raise ManifestError(f"The path {path[:_SHOWN]!r} is too long, or holds a NUL.")
    if any(part in (b"", b".", b"..") or len(part) > PART_LENGTH for part in parts):
        raise ManifestError(
            f"The path {path[:_SHOWN]!r} is not relative, has '..', or a part that is too long."
        )


@dataclass(slots=True)
class ManifestTotals:
    """What a manifest adds up to.

    Attributes:
        files: without folders.
        size: bytes of the data.
        bytes: of all files, those counted twice that are there twice.
    """

    files: int = 0
    size: int = 0
    bytes: int = 0


def checked(entries: Iterable[Entry], totals: ManifestTotals) -> Iterator[Entry]:
    """The same entries, while `totals` adds them up.

    Raises:
        ManifestError: the bytes of a file are not where those before it end, nor among them.
    """
    for entry in entries:
        if entry.kind is EntryKind.FILE:
            totals.files += 1
            totals.bytes += entry.size
            if entry.offset == totals.size:
                totals.size += entry.size
            elif entry.offset + entry.size > totals.size:
                raise ManifestError(
                    f"The bytes of {entry.path[:_SHOWN]!r} are not where those before it end."
                )
        yield entry
