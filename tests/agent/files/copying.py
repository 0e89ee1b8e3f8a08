"""A copy in a test: a manifest in an execution's folder, a source in memory, the real work."""

import hashlib
import os
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui_manager_agent.files.copy.write_files import MANIFEST, WriteFiles
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StopSignal
from tui_manager_agent.journal.transfer_records import CopyOrder, FileSet
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, encode

PIECE = 1000  # bytes
Content = bytes | None  # None: a folder
Tree = Mapping[str, Content] | Mapping[bytes, Content] | Mapping[str, bytes] | Mapping[bytes, bytes]


@dataclass
class MemorySource:
    """Gives the bytes that were wanted, in small pieces, runs of zeros as numbers."""

    data: bytes
    piece: int = PIECE
    before_read: Callable[[int], None] = lambda count: None
    wants: deque[tuple[int, int]] = field(default_factory=deque)
    asked: list[tuple[int, int]] = field(default_factory=list)
    reads: int = 0

    def want(self, offset: int, length: int) -> None:
        assert length > 0
        assert offset + length <= len(self.data)
        self.wants.append((offset, length))
        self.asked.append((offset, length))

    def read(self) -> bytes | int:
        self.before_read(self.reads)
        self.reads += 1
        offset, length = self.wants.popleft()
        piece = self.data[offset : offset + min(length, self.piece)]
        if length > len(piece):
            self.wants.appendleft((offset + len(piece), length - len(piece)))
        return len(piece) if not any(piece) else piece

    @property
    def asked_bytes(self) -> int:
        return sum(length for _, length in self.asked)


@dataclass
class Judge:
    """A policy that allows what `forbids` does not name, and remembers what it was asked."""

    forbids: Callable[[bytes], None] = lambda path: None
    asked: list[tuple[bytes, bool, int]] = field(default_factory=list)

    def require_write(self, path: bytes, *, is_folder: bool = False, mode: int = 0) -> None:
        self.asked.append((path, is_folder, mode))
        self.forbids(path)

    def require_read(self, path: bytes, *, is_folder: bool | None = False) -> None:
        raise AssertionError("a copy reads no file for the manager")


class Copy:
    """One copy to a folder of a test. `work` makes the work of the next agent on it."""

    def __init__(
        self,
        base: Path,
        tree: Tree,
        to: str,
        *,
        modes: Mapping[str, int] | None = None,
        mode: int | None = None,
        owner: str = "",
        backup: bool = False,
    ) -> None:
        """`base`: where the agent's state is too; `modes`: of the source, else 0644 and 0755."""
        self.state = base / "state"
        self.policy = base / "policy.toml"
        self.execution_id = str(uuid.uuid4())
        self.folder = self.state / "executions" / self.execution_id
        self.folder.mkdir(parents=True)
        self.rules = Judge()
        self.stop = StopSignal()
        entries, data = _entries(tree, modes or {})
        manifest = b"".join(map(encode, entries))
        (self.folder / MANIFEST).write_bytes(manifest)
        self.source = MemorySource(data)
        sizes = [entry.size for entry in entries]
        files = sum(entry.kind is EntryKind.FILE for entry in entries)
        sha256 = hashlib.sha256(manifest).digest()
        file_set = FileSet(sha256, len(manifest), len(data), files, sum(sizes))
        self.order = CopyOrder(file_set, to, mode=mode, owner=owner, backup=backup)

    def work(self) -> WriteFiles:
        """With a source that was asked for nothing yet, as after a restart."""
        self.source = MemorySource(self.source.data, self.source.piece, self.source.before_read)
        own = ProtectedFiles(self.state, self.policy)
        return WriteFiles(
            self.order, self.execution_id, self.folder, self.source, self.rules, own, self.stop
        )


def _entries(tree: Tree, modes: Mapping[str, int]) -> tuple[list[Entry], bytes]:
    """Equal files share their bytes."""
    data: list[bytes] = []
    size = 0
    offsets: dict[bytes, int] = {}
    entries = []
    for key, content in tree.items():
        path = os.fsencode(key)
        name = os.fsdecode(key)
        if content is None:
            entries.append(Entry(path, EntryKind.FOLDER, modes.get(name, 0o755)))
            continue
        sha256 = hashlib.sha256(content).digest()
        if sha256 not in offsets:
            offsets[sha256] = size
            data.append(content)
            size += len(content)
        mode = modes.get(name, 0o644)
        offset = offsets[sha256]
        entries.append(Entry(path, EntryKind.FILE, mode, len(content), sha256, offset))
    return entries, b"".join(data)


def read_tree(folder: Path) -> dict[str, bytes | None]:
    """What is in a folder, as a `Tree`; a partial file too."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777
