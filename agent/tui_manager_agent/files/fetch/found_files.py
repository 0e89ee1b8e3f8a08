"""The file set that a fetch has found: its manifest, in the execution's folder, and where the bytes
of each offset are.

It takes the memory of two numbers for each file, however long the paths are.
"""

import io
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestError,
    ManifestTotals,
    check_path,
    checked,
    encode,
    read_entries,
)
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH

from tui_manager_agent.files.hashing import new_sha256
from tui_manager_agent.journal.transfer_records import FileSet
from tui_manager_agent.supervisor import record

MANIFEST = "manifest"
_CONTENTS = "contents"  # of files that have no size
_FOUND = "found"  # a record: the manifest is whole
_FILES = (_FOUND, MANIFEST, _CONTENTS)
_RECORD_LENGTH = 8192  # bytes: more than any record of a manifest
_SAME_LIMIT = 10_000  # files of which equal ones are found


class FoundFiles:
    """What a fetch has found until now, and after `finish` the whole set.

    Attributes:
        totals: what the manifest adds up to.
        detail: what the operator should know of it; may be empty.
    """

    def __init__(self, folder: Path, manifest: io.BufferedRandom) -> None:
        """Use `begin_set` or `load_set`."""
        self._folder = str(folder)
        self._manifest = manifest
        self._contents: io.BufferedRandom | None = None
        self._hash = new_sha256()
        self._manifest_size = 0
        self._starts, self._positions = array("Q"), array("Q")  # of each distinct file
        self._kept: dict[int, int] = {}  # where in the contents a file begins, by its offset
        self._same: dict[bytes, int] = {}  # offsets by hash
        self._last_sha256 = b""
        self.totals = ManifestTotals()
        self.detail = ""

    # ------------------------------------------------------------------------------------ writing

    def add_folder(self, path: bytes, mode: int) -> None:
        """Raises ManifestError for a path that no set can have, OSError."""
        check_path(path)
        self._manifest.write(self._count(Entry(path, EntryKind.FOLDER, mode)))

    def add_file(
        self, path: bytes, mode: int, size: int, sha256: bytes, kept: int | None = None
    ) -> None:
        """Raises ManifestError for a path that no set can have, OSError.

        Args:
            kept: what `keep` returned for its first bytes; None: they are read from the file.
        """
        check_path(path)
        offset = self._same.get(sha256, self.totals.size)
        if size and offset == self.totals.size:
            if kept is not None:
                self._kept[offset] = kept
            if len(self._same) < _SAME_LIMIT:
                self._same[sha256] = offset
        self._manifest.write(self._count(Entry(path, EntryKind.FILE, mode, size, sha256, offset)))

    def _count(self, entry: Entry) -> bytes:
        """Takes an entry into totals, hash and index. Returns its record."""
        if entry.size and entry.offset == self.totals.size:
            self._starts.append(entry.offset)
            self._positions.append(self._manifest_size)
        for _ in checked((entry,), self.totals):
            data = encode(entry)
        self._hash.update(data)
        self._manifest_size += len(data)
        self._last_sha256 = entry.sha256 or self._last_sha256
        return data

    def keep(self, data: bytes) -> int:
        """Keeps bytes that cannot be read from their file a second time. Returns where they begin
        among all that is kept. Raises OSError."""
        if self._contents is None:
            path = f"{self._folder}/{_CONTENTS}"
            self._contents = open(path, "w+b", opener=record.open_private)  # noqa: SIM115
        begin = self._contents.tell()
        self._contents.write(data)
        return begin

    @property
    def kept_size(self) -> int:
        """Bytes that were kept."""
        return self._contents.tell() if self._contents else 0

    def finish(self, detail: str) -> None:
        """The set is whole, also after a crash of the host. Raises OSError."""
        self.detail = detail
        self._same.clear()
        self._manifest.flush()
        if self._contents is not None:
            self._contents.flush()
            return  # a later agent finds the files anew
        os.fsync(self._manifest.fileno())
        entries = {"manifest": self.files.sha256.hex(), "detail": detail}
        record.write(self._folder, _FOUND, record.encode(entries))

    # ------------------------------------------------------------------------------------ reading

    @property
    def files(self) -> FileSet:
        """The set."""
        return FileSet(
            self._hash.digest(),
            self._manifest_size,
            self.totals.size,
            self.totals.files,
            self.totals.bytes,
        )

    @property
    def sha256(self) -> bytes:
        """Of the file if it is one file, else of the manifest."""
        return self._last_sha256 if self.totals.files == 1 else self._hash.digest()

    def read_manifest(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of the manifest. Raises OSError."""
        return os.pread(self._manifest.fileno(), min(length, PART_LENGTH), offset)

    def find(self, offset: int) -> Entry:
        """The file that has this byte of the data. Raises OSError, ManifestError."""
        position = self._positions[self._number(offset)]
        data = os.pread(self._manifest.fileno(), _RECORD_LENGTH, position)
        return next(read_entries(io.BytesIO(data)))

    def is_kept(self, entry: Entry) -> bool:
        """Whether the bytes of a file were kept."""
        return entry.offset in self._kept

    def read_kept(self, begin: int, offset: int, length: int) -> bytes:
        """Up to `length` bytes of the file whose data begin at `begin`, if they were kept.

        Raises OSError.
        """
        assert self._contents is not None
        position = self._kept[begin] + offset
        return os.pread(self._contents.fileno(), min(length, PART_LENGTH), position)

    def distinct_files_before(self, offset: int) -> int:
        """How many distinct files end at this offset of the data or before it."""
        return self._number(offset) + (offset == self.totals.size) if self._starts else 0

    def _number(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def close(self) -> None:
        self._manifest.close()
        if self._contents is not None:
            self._contents.close()


def begin_set(folder: Path) -> FoundFiles:
    """A new set, in place of what is there. Raises OSError."""
    remove_set(folder)
    return FoundFiles(folder, open(f"{folder}/{MANIFEST}", "w+b", opener=record.open_private))


def load_set(folder: Path, check: Callable[[], None]) -> FoundFiles | None:
    """The set that an earlier agent has found; None if it is not whole. Raises OSError.

    Calls `check` for each entry; it raises what ends the work.
    """
    try:
        entries = record.read(f"{folder}/{_FOUND}")
        manifest = open(f"{folder}/{MANIFEST}", "r+b")  # noqa: SIM115
    except FileNotFoundError:
        return None
    found = FoundFiles(folder, manifest)
    try:
        for entry in read_entries(manifest):
            check()
            found._count(entry)
        is_complete = found.files.sha256.hex() == entries.get("manifest")
    except ManifestError:
        is_complete = False
    except BaseException:
        found.close()
        raise
    if not is_complete:
        found.close()
        return None
    found.detail = entries.get("detail", "")
    return found


def remove_set(folder: Path) -> None:
    """Removes all that belongs to a set, if it is there. Raises OSError."""
    for name in _FILES:
        with suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")
