"""File sets made of what a test says."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, encode

from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.files.receive_file_set import FileSetReceiver


@dataclass(frozen=True)
class MadeSet:
    """A set with its bytes."""

    files: FileSet
    manifest: bytes
    data: bytes

    def part(self, part: FileSetPart) -> bytes:
        return self.manifest if part is FileSetPart.MANIFEST else self.data


def set_of(entries: Iterable[Entry], data: bytes) -> MadeSet:
    """A set of these entries, whether they are right or not."""
    entries = list(entries)
    manifest = b"".join(map(encode, entries))
    files = [entry for entry in entries if entry.kind is EntryKind.FILE]
    return MadeSet(
        FileSet(
            sha256=hashlib.sha256(manifest).hexdigest(),
            manifest_size=len(manifest),
            size=len(data),
            files=len(files),
            bytes=sum(entry.size for entry in files),
        ),
        manifest,
        data,
    )


def make_set(contents: Mapping[bytes, bytes | None]) -> MadeSet:
    """A set of files with these contents; None: a folder."""
    entries, data, offsets = [], bytearray(), dict[bytes, int]()
    for path, content in contents.items():
        if content is None:
            entries.append(Entry(path, EntryKind.FOLDER, 0o755))
            continue
        offset = offsets.setdefault(content, len(data))
        if offset == len(data):
            data += content
        digest = hashlib.sha256(content).digest()
        entries.append(Entry(path, EntryKind.FILE, 0o644, len(content), digest, offset))
    return set_of(entries, bytes(data))


async def send(
    incoming: FileSetReceiver, made: MadeSet, limit: int = 1 << 30, piece: int = 0
) -> int:
    """Sends what an incoming set lacks, at most so many bytes; returns how many.

    Args:
        piece: bytes of each call; 0: some dozens of calls for either part.
    """
    sent = 0
    for part in FileSetPart:
        content = made.part(part)
        length = piece or max(100, len(content) // 50)
        while (offset := incoming.have(part)) < len(content) and sent < limit:
            data = content[offset : offset + min(length, limit - sent)]
            await incoming.write(part, offset, data)
            sent += len(data)
    return sent


async def store(files: FileStore, made: MadeSet, owner: str = "operator") -> int:
    """Stores a set, and returns how many bytes had to be sent."""
    async with files.receive(made.files, owner) as incoming:
        sent = await send(incoming, made)
        await incoming.finish()
        assert incoming.complete
    return sent


async def read(files: FileStore, made: MadeSet) -> bool:
    """Whether the store has exactly these bytes."""
    for part, size in made.files.sizes.items():
        found = bytearray()
        while len(found) < size:
            length = max(1000, size // 50)
            data = await files.read(made.files.sha256, part, len(found), length)
            found += bytes(data) if isinstance(data, int) else data
        if bytes(found) != made.part(part):
            return False
    return True
