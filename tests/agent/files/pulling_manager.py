"""A manager as the work of a fetch sees it: it asks for the whole set and checks every hash."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

from tui_manager_agent.files.fetch.read_files import ReadFiles
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import Piece, Request, StopSignal, Stored
from tui_manager_agent.journal.transfer_records import FetchOrder, FileSet, Transferred
from tui_manager_agent.policy.file_rules import FileRules
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestTotals,
    checked,
    read_entries,
)
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH


class PullingManager:
    """Asks piece by piece, in the thread of the work. It holds the data in memory as it came: zeros
    as their number.

    Attributes:
        offers: all sets that it was offered.
        pieces: of the data.
        problems: why it did not get something.
        on_data: called once, before it asks for the first data.
        on_request: called before each request.
        says_retry: whether a fetch that it did not get is to be tried again.
        first_request: what it asks for before all else; None: as it should.
    """

    def __init__(self, request_length: int = PART_LENGTH) -> None:
        self.offers: list[FileSet] = []
        self.manifest = b""
        self.pieces: list[Piece] = []
        self.problems: list[str] = []
        self.on_data: Callable[[], object] | None = None
        self.on_request: Callable[[], object] = lambda: None
        self.first_request: Request | None = None
        self.says_retry = True
        self._request_length = request_length
        self._problem = ""

    def offer(self, files: FileSet) -> None:
        self.offers.append(files)
        self.manifest, self.pieces, self._problem = b"", [], ""

    def next(self) -> Request | Stored:
        self.on_request()
        if self._problem:
            return Stored(self._problem, retry=self.says_retry)
        if self.first_request is not None:
            request, self.first_request = self.first_request, None
            return request
        files = self.offers[-1]
        for is_manifest, have, size in (
            (True, len(self.manifest), files.manifest_size),
            (False, self.received, files.size),
        ):
            if have < size:
                if not is_manifest and self.on_data is not None:
                    change, self.on_data = self.on_data, None
                    change()
                return Request(is_manifest, have, min(self._request_length, size - have))
        return self._check()

    def answer(self, request: Request, offset: int, piece: Piece) -> None:
        length = piece if isinstance(piece, int) else len(piece)
        assert 0 < length <= request.offset + request.length - offset
        if request.is_manifest:
            assert isinstance(piece, bytes)
            assert offset == len(self.manifest)
            self.manifest += piece
        else:
            assert offset == self.received
            assert isinstance(piece, int) or length <= PART_LENGTH
            self.pieces.append(piece)

    def refuse(self, request: Request, problem: str) -> None:
        self.problems.append(problem)
        self._problem = problem

    @property
    def received(self) -> int:
        """Bytes of the data."""
        return sum(piece if isinstance(piece, int) else len(piece) for piece in self.pieces)

    @property
    def zeros(self) -> int:
        return sum(piece for piece in self.pieces if isinstance(piece, int))

    @property
    def data(self) -> bytes:
        return b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in self.pieces)

    @property
    def entries(self) -> list[Entry]:
        return list(read_entries(io.BytesIO(self.manifest)))

    @property
    def contents(self) -> dict[bytes, bytes | None]:
        """The files by their paths; a folder has no contents."""
        data = self.data
        return {
            entry.path: data[entry.offset : entry.offset + entry.size]
            if entry.kind is EntryKind.FILE
            else None
            for entry in self.entries
        }

    def _check(self) -> Stored:
        files, totals = self.offers[-1], ManifestTotals()
        assert hashlib.sha256(self.manifest).digest() == files.sha256
        entries = list(checked(self.entries, totals))
        assert (totals.files, totals.size, totals.bytes) == (files.files, files.size, files.bytes)
        for entry in entries:
            if entry.kind is EntryKind.FILE and self._hash(entry) != entry.sha256:
                return Stored(f"/{entry.path.decode()} changed while it was read.", retry=True)
        return Stored()

    def _hash(self, entry: Entry) -> bytes:
        """Piece by piece, as a set may be large."""
        hashed, at = hashlib.sha256(), 0
        end = entry.offset + entry.size
        for piece in self.pieces:
            length = piece if isinstance(piece, int) else len(piece)
            first, last = max(at, entry.offset), min(at + length, end)
            if first < last and isinstance(piece, bytes):
                hashed.update(piece[first - at : last - at])
            else:
                for _ in range(max(last - first, 0) // PART_LENGTH):
                    hashed.update(bytes(PART_LENGTH))
                hashed.update(bytes(max(last - first, 0) % PART_LENGTH))
            at += length
        return hashed.digest()


class Rules:
    """Allows everything, and remembers what it was asked about. `on_ask` is called each time."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.on_ask: Callable[[], object] = lambda: None

    def require_read(self, path: bytes, *, is_folder: bool | None = False) -> None:
        self.asked.append(path + (b"/" if is_folder else b""))
        self.on_ask()

    def require_write(self, path: bytes, *, is_folder: bool = False, mode: int = 0) -> None:
        raise AssertionError("nothing is written")


class Host:
    """The host of a fetch: an execution's folder in a state folder, and a policy if it is written.

    Attributes:
        state: the state folder.
        policy: the file, which need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.execution = self.state / "executions" / "0"
        self.begin_execution()
        self.policy = folder / "policy.toml"
        self.stop = StopSignal()
        self.rules: FileRules = PolicyFile(None)

    def begin_agent(self) -> None:
        """The next agent, after this one was stopped."""
        self.stop = StopSignal()

    def begin_execution(self) -> None:
        """The next fetch has a folder of its own."""
        number = int(self.execution.name) + 1
        self.execution = self.execution.with_name(str(number))
        self.execution.mkdir(parents=True, mode=0o700)

    def use_policy(self, text: str) -> None:
        self.policy.write_text(text)
        self.rules = PolicyFile(self.policy)

    def fetch(self, *paths: object, recursive: bool = True, manager: PullingManager) -> ReadFiles:
        """The work, which is to be run."""
        return ReadFiles(
            FetchOrder(tuple(map(str, paths)), recursive),
            "1",
            self.execution,
            manager,
            self.rules,
            ProtectedFiles(self.state, self.policy),
            self.stop,
        )

    def run(
        self, *paths: object, recursive: bool = True, manager: PullingManager | None = None
    ) -> tuple[PullingManager, Transferred]:
        """A fetch from its beginning to its end."""
        self.begin_execution()
        manager = manager or PullingManager()
        return manager, self.fetch(*paths, recursive=recursive, manager=manager).run()
