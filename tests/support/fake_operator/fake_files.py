"""The file sets of a manager in memory. It checks what comes, and can be lost at a byte."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable

from tui_manager_protos.rules.files.file_manifest import (
    EntryKind,
    ManifestTotals,
    checked,
    read_entries,
)

from tui_manager.domain.errors import InvalidInputError, NotFoundError, UnreachableError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.file_calls import ReadPart, each_piece


class FakeFiles:
    """Implements the calls on files.

    Attributes:
        sets: manifest and data of each stored set, by its hash.
        lost_at: the manager is lost, once, when it has or has sent so many bytes of the data; None:
            never.
        is_lost: no call is answered.
        asked: the part and the offset of each `read_files`.
        sent: how many bytes of data and manifest came.
    """

    def __init__(self) -> None:
        self.sets: dict[str, tuple[bytes, bytes]] = {}
        self.lost_at: int | None = None
        self.is_lost = False
        self.asked: list[tuple[FileSetPart, int]] = []
        self.sent = 0
        self._incoming: dict[tuple[str, FileSetPart], bytearray] = {}

    async def store_files(
        self,
        files: FileSet,
        read: ReadPart,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._check_lost()
        if files.sha256 in self.sets:
            return
        parts = []
        for part in FileSetPart:
            had = self._incoming.setdefault((files.sha256, part), bytearray())
            async for piece in each_piece(read(part, len(had))):
                data = bytes(piece) if isinstance(piece, int) else piece
                self.sent += len(data)
                had += data
                if part is FileSetPart.DATA:
                    if on_progress is not None:
                        on_progress(len(had))
                    self._lose_at(len(had))
                await asyncio.sleep(0)
            parts.append(bytes(had))
        manifest, data = parts
        if set_of(manifest, data) != files:
            raise InvalidInputError("files", "These are not the bytes of the set.")
        self.sets[files.sha256] = manifest, data

    async def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        self._check_lost()
        self.asked.append((part, offset))
        if files.sha256 not in self.sets:
            raise NotFoundError("The files are gone.")
        data = self.sets[files.sha256][part is FileSetPart.DATA]
        while offset < len(data):
            if part is FileSetPart.DATA:
                self._lose_at(offset)
            piece = data[offset : offset + 1000]
            offset += len(piece)
            yield piece if piece.strip(b"\0") else len(piece)
            await asyncio.sleep(0)

    def _check_lost(self) -> None:
        if self.is_lost:
            raise UnreachableError("No manager answers.")

    def _lose_at(self, position: int) -> None:
        if self.lost_at is not None and position >= self.lost_at:
            self.lost_at = None
            raise UnreachableError("The manager has gone.")


def set_of(manifest: bytes, data: bytes) -> FileSet:
    """The set that these are, whose hashes are checked."""
    totals = ManifestTotals()
    for entry in checked(read_entries(io.BytesIO(manifest)), totals):
        if entry.kind is EntryKind.FILE:
            found = data[entry.offset : entry.offset + entry.size]
            assert hashlib.sha256(found).digest() == entry.sha256, entry
    digest = hashlib.sha256(manifest).hexdigest()
    return FileSet(digest, len(manifest), len(data), totals.files, totals.bytes)
