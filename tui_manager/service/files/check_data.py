"""Checks bytes that were received against what was said of them: the manifest against the hash of
its set, and each file of the data against its hash in the manifest."""

import hashlib
from array import array
from bisect import bisect_left
from typing import BinaryIO

from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestError,
    ManifestTotals,
    checked,
    read_entries,
)

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet

ENTRIES_MAX = 1_000_000  # files and folders of a set; the check needs 40 bytes for each file
_PIECE = 1 << 20  # bytes
_HASH = 32  # bytes
_EMPTY = hashlib.sha256().digest()
_SHOWN = 80  # bytes of a path in an error


class WrongDataError(InvalidInputError):
    """The bytes that arrived do not fit the hashes, so they must be sent again from the beginning.

    Attributes:
        path: of the file, as in the manifest; empty: it is the manifest.
    """

    def __init__(self, message: str, path: bytes = b"") -> None:
        super().__init__("files", message)
        self.path = path


def check_manifest(manifest: BinaryIO, files: FileSet) -> None:
    """Checks a whole manifest, from the beginning of the file on.

    Raises:
        WrongDataError: it has another hash.
        InvalidInputError: an entry breaks a rule, there are too many, or they add up to other
            numbers than those of the set.
    """
    manifest.seek(0)
    if _hash_of(manifest, files.manifest_size).hex() != files.sha256:
        raise WrongDataError(
            f"The manifest of the file set {files.sha256} arrived with another hash. Send it again."
        )
    manifest.seek(0)
    totals, count = ManifestTotals(), 0
    try:
        for count, _ in enumerate(checked(read_entries(manifest), totals), start=1):
            if count > ENTRIES_MAX:
                raise InvalidInputError(
                    "files",
                    f"A file set has at most {ENTRIES_MAX:,} files and folders. Pack them into an "
                    "archive first, or take fewer at once.",
                )
    except ManifestError as error:
        raise InvalidInputError("files", str(error)) from error
    if not count:
        raise InvalidInputError("files", "The manifest is empty: there is no file in it.")
    if (totals.files, totals.size, totals.bytes) != (files.files, files.size, files.bytes):
        raise InvalidInputError(
            "files",
            f"The file set {files.sha256} should have {files.files} files with {files.bytes} bytes "
            f"and {files.size} bytes of data; its manifest names {totals.files} with "
            f"{totals.bytes} and {totals.size}.",
        )


def check_data(manifest: BinaryIO, data: BinaryIO) -> None:
    """Checks whole data against a manifest that is checked, both from the beginning of the file on.

    Raises:
        WrongDataError: a file has another hash.
    """
    manifest.seek(0)
    data.seek(0)
    known, end = _KnownFiles(), 0
    for entry in read_entries(manifest):
        if entry.kind is not EntryKind.FILE:
            continue
        if not entry.size:
            fits = entry.sha256 == _EMPTY
        elif entry.offset == end:
            fits = _hash_of(data, entry.size) == entry.sha256
            known.add(entry)
            end += entry.size
        else:
            fits = known.has(entry)
        if not fits:
            raise WrongDataError(
                f"The bytes of {_shown(entry.path)} arrived with another hash: the file has "
                "changed while it was read, or the bytes on the way. Send it again.",
                entry.path,
            )


def _shown(path: bytes) -> str:
    """A path for an error."""
    return repr(path[:_SHOWN].decode(errors="replace"))


def _hash_of(file: BinaryIO, size: int) -> bytes:
    """The SHA-256 of the next `size` bytes."""
    digest = hashlib.sha256()
    while size:
        piece = file.read(min(size, _PIECE))
        if not piece:
            break
        digest.update(piece)
        size -= len(piece)
    return digest.digest()


class _KnownFiles:
    """The files whose bytes were checked: equal ones have the same offset."""

    def __init__(self) -> None:
        self._offsets = array("Q")  # ascending
        self._sizes = array("Q")
        self._hashes = bytearray()

    def add(self, entry: Entry) -> None:
        """Adds one that begins behind all others."""
        self._offsets.append(entry.offset)
        self._sizes.append(entry.size)
        self._hashes += entry.sha256

    def has(self, entry: Entry) -> bool:
        """Whether the bytes of an entry are those of a known file."""
        at = bisect_left(self._offsets, entry.offset)
        return (
            at < len(self._offsets)
            and (self._offsets[at], self._sizes[at]) == (entry.offset, entry.size)
            and self._hashes[at * _HASH : (at + 1) * _HASH] == entry.sha256
        )
