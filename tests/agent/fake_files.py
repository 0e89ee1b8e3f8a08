"""The files of a manager of the tests' own: what it gives for copies and gets of fetches."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind, encode, read_entries
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH, REQUEST_LENGTH
from tui_manager_protos.v1 import agent_pb2 as wire

MANIFEST, DATA = wire.FILE_SET_PART_MANIFEST, wire.FILE_SET_PART_DATA


@dataclass
class FakeSet:
    """A file set in memory."""

    manifest: bytes
    data: bytes
    files: int
    total: int  # bytes of all files

    @classmethod
    def of(cls, contents: Mapping[str, bytes]) -> "FakeSet":
        """Files by their paths; one that ends in `/` is a folder."""
        entries, data = [], bytearray()
        offsets: dict[bytes, int] = {}
        for path, content in contents.items():
            if path.endswith("/"):
                entries.append(Entry(path[:-1].encode(), EntryKind.FOLDER, 0o755))
                continue
            digest = hashlib.sha256(content).digest()
            offset = offsets.setdefault(digest, len(data))
            if offset == len(data):
                data += content
            size = len(content)
            entries.append(Entry(path.encode(), EntryKind.FILE, 0o644, size, digest, offset))
        sizes = [entry.size for entry in entries if entry.kind is EntryKind.FILE]
        manifest = b"".join(map(encode, entries))
        return cls(manifest, bytes(data), len(sizes), sum(sizes))

    @property
    def message(self) -> wire.FileSet:
        return wire.FileSet(
            sha256=hashlib.sha256(self.manifest).digest(),
            manifest_size=len(self.manifest),
            size=len(self.data),
            files=self.files,
            bytes=self.total,
        )

    def contents(self) -> dict[str, bytes]:
        """The files by their paths."""
        return {
            entry.path.decode(): self.data[entry.offset : entry.offset + entry.size]
            for entry in read_entries(BytesIO(self.manifest))
            if entry.kind is EntryKind.FILE
        }


@dataclass
class Received:
    """What has come of a fetch."""

    found: wire.FileSet
    parts: dict[wire.FileSetPart.ValueType, bytearray] = field(
        default_factory=lambda: {MANIFEST: bytearray(), DATA: bytearray()}
    )
    stored: bool = False

    @property
    def as_set(self) -> FakeSet:
        manifest, data = (bytes(self.parts[part]) for part in (MANIFEST, DATA))
        return FakeSet(manifest, data, self.found.files, self.found.bytes)

    def next_request(self, execution_id: str) -> wire.FileRequest | None:
        sizes = {MANIFEST: self.found.manifest_size, DATA: self.found.size}
        for part, size in sizes.items():
            offset = len(self.parts[part])
            if offset < size:
                length = min(size - offset, REQUEST_LENGTH)
                return wire.FileRequest(
                    execution_id=execution_id, part=part, offset=offset, length=length
                )
        return None


class FakeFiles:
    """Answers what an agent asks for, and asks for what it has found.

    Attributes:
        answers: whether requests of copies are answered.
        limit: bytes of the data that are sent at most; nothing is answered behind them.
        requests: all that were asked for.
        requested: bytes of the data that were asked for.
        stores: whether what was fetched is said to be stored.
    """

    def __init__(self) -> None:
        self.answers = True
        self.limit = 1 << 62
        self.requests: list[wire.FileRequest] = []
        self.requested = 0
        self.stores = True
        self.received: dict[str, Received] = {}
        self.problems: list[str] = []
        self._sets: dict[str, FakeSet] = {}

    def add(self, execution_id: str, files: FakeSet) -> None:
        """What an execution copies."""
        self._sets[execution_id] = files

    def replies(self, message: wire.AgentMessage) -> Iterator[wire.ManagerMessage]:
        """What the manager says to a message that is about files."""
        kind = message.WhichOneof("message")
        if kind == "file_request":
            for part in self._parts(message.file_request):
                yield wire.ManagerMessage(file_part=part)
        elif kind == "files_found":
            yield from self._on_found(message.files_found)
        elif kind == "file_part":
            yield from self._on_part(message.file_part)

    def _parts(self, request: wire.FileRequest) -> Iterator[wire.FilePart]:
        self.requests.append(request)
        end = request.offset + request.length
        files = self._sets[request.execution_id]
        data = files.data if request.part == DATA else files.manifest
        assert end <= len(data)
        if request.part == DATA:
            self.requested += request.length
            end = min(end, self.limit)
        if not self.answers:
            return
        for offset in range(request.offset, end, PART_LENGTH):
            piece = data[offset : min(offset + PART_LENGTH, end)]
            part = wire.FilePart(
                execution_id=request.execution_id, part=request.part, offset=offset
            )
            if piece.strip(b"\0"):
                part.data = piece
            else:
                part.zeros = len(piece)
            yield part

    def _on_found(self, found: wire.FilesFound) -> Iterator[wire.ManagerMessage]:
        known = self.received.get(found.execution_id)
        if known is None or known.found != found.files:
            self.received[found.execution_id] = Received(found.files)
        yield from self._go_on(found.execution_id)

    def _on_part(self, part: wire.FilePart) -> Iterator[wire.ManagerMessage]:
        if part.HasField("problem"):
            self.problems.append(part.problem)
            return
        received = self.received[part.execution_id]
        data = received.parts[part.part]
        assert part.offset == len(data)
        data += part.data or bytes(part.zeros)
        asked_until = min(
            part.offset // REQUEST_LENGTH * REQUEST_LENGTH + REQUEST_LENGTH, received.found.size
        )
        if part.part == MANIFEST or len(data) >= asked_until:
            yield from self._go_on(part.execution_id)

    def _go_on(self, execution_id: str) -> Iterator[wire.ManagerMessage]:
        received = self.received[execution_id]
        if request := received.next_request(execution_id):
            yield wire.ManagerMessage(file_request=request)
        elif self.stores:
            received.stored = True
            yield wire.ManagerMessage(files_stored=wire.FilesStored(execution_id=execution_id))
