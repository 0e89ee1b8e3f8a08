"""Sends the bytes of files that agents have asked for. Only a few bytes are in memory.

A session sends a part when it has nothing else to send, and reads the next part when that one is
written. All sessions together hold at most `BUDGET` bytes: the more of them send files, the smaller
the parts are.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import InvalidInputError, NotFoundError, StorageError
from tui_manager.domain.hosts.file_transfer import FilePiece, FileRequest
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.transport.messages import convert_files
from tui_manager.transport.sessions.byte_budget import WRITE_TIMEOUT, ByteBudget, Reservation

BUDGET = 64 * 1024 * 1024  # bytes of parts that are read and not yet written
REQUESTS_MAX = 256  # of one session, not yet answered
_LEAST = 16 * 1024  # bytes of a part
_COPIES = 4  # of a part in memory: its bytes, its message, and what gRPC makes of that
_TRIES, _RETRY = 30, 1.0  # seconds, while the store cannot read


class FileSource(Protocol):
    """The part of FileStore that is used."""

    async def read(
        self, sha256: str, part: FileSetPart, offset: int, length: int
    ) -> bytes | int: ...


class FileShare:
    """What all sessions share.

    Attributes:
        sending: sessions that owe their agents something.
        on_written: is called with the bytes of each part that a session has written.
    """

    def __init__(
        self,
        source: FileSource,
        on_written: Callable[[int], None],
        monotonic: Callable[[], float],
        budget: int = BUDGET,
        timeout: float = WRITE_TIMEOUT,
    ) -> None:
        """
        Args:
            monotonic: a clock in seconds.
            budget: bytes.
            timeout: seconds for an agent to take a part while others wait.
        """
        self.source = source
        self.on_written = on_written
        self.sending = 0
        self._bytes = ByteBudget(budget, monotonic, timeout)
        self._reading: set[asyncio.Task[None]] = set()

    @property
    def used(self) -> int:
        """Bytes that are reserved."""
        return self._bytes.used

    @property
    def part_length(self) -> int:
        """How many bytes a part has at most now."""
        fair = self._bytes.budget // (_COPIES * max(1, self.sending))
        return max(_LEAST, min(PART_LENGTH, fair))

    def reserve(
        self, length: int, on_granted: Callable[[], None], on_timeout: Callable[[], None]
    ) -> Reservation:
        """Asks for a part of so many bytes."""
        return self._bytes.reserve(Reservation(length * _COPIES, on_granted, on_timeout))

    def begin_reading(self, reservation: Reservation) -> None:
        """The part is read from now on."""
        self._bytes.begin_reading(reservation)

    def begin_writing(self, reservation: Reservation) -> None:
        """The part waits for the agent from now on."""
        self._bytes.begin_writing(reservation)

    def end_slow_writes(self) -> None:
        """Ends the sessions whose agents do not take their parts in time while others wait."""
        self._bytes.end_slow_writes()

    def give_back(self, reservation: Reservation) -> None:
        """Ends a reservation, granted or not. To be called once."""
        self._bytes.give_back(reservation)

    def hold(self, task: asyncio.Task[None]) -> None:
        """Keeps a task that reads until it has ended."""
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)


@dataclass(slots=True)
class _Owed:
    """A request that is not answered yet.

    Attributes:
        sha256: of the set; empty with a problem.
        problem: all that it gets; empty: it gets bytes.
        done: bytes that were read.
    """

    request: FileRequest
    sha256: str = ""
    problem: str = ""
    done: int = 0

    @property
    def left(self) -> int:
        return self.request.length - self.done


class FileParts:
    """What one session owes its agent."""

    def __init__(
        self, share: FileShare, on_ready: Callable[[], None], on_timeout: Callable[[], None]
    ) -> None:
        """
        Args:
            on_ready: is called when `take` may have something.
            on_timeout: is called if the agent does not take a part in time and others wait.
        """
        self._share = share
        self._on_ready = on_ready
        self._on_timeout = on_timeout
        self._allowed: dict[str, FileSet] = {}
        self._owed: deque[_Owed] = deque()
        self._sending = False
        self._length = 0  # of the part that has a reservation
        self._reservation: Reservation | None = None  # for what is read, ready or being written
        self._reading: asyncio.Task[None] | None = None
        self._ready: FilePiece | None = None
        self._writing: int | None = None  # how many bytes a connection carries for the part
        self._error: Exception | None = None

    @property
    def unanswered(self) -> int:
        """How many requests are not answered."""
        return len(self._owed)

    def allowed(self, execution_id: str) -> FileSet | None:
        """The set of which an execution may ask for bytes; None: that is not known."""
        return self._allowed.get(execution_id)

    def allow(self, execution_id: str, files: FileSet) -> None:
        """Lets an execution ask for bytes of a set, until `forget`."""
        self._allowed[execution_id] = files

    def ask(self, request: FileRequest) -> None:
        """Adds a request of an execution that is allowed."""
        self._add(_Owed(request, self._allowed[request.execution_id].sha256))

    def refuse(self, request: FileRequest, problem: str) -> None:
        """Answers a request with a sentence."""
        self._add(_Owed(request, problem=problem))

    def _add(self, owed: _Owed) -> None:
        self._owed.append(owed)
        self._count()
        self._on_ready()

    def forget(self, execution_id: str) -> None:
        """An execution has ended or is to end: what it has asked for is not sent."""
        self._allowed.pop(execution_id, None)
        self._drop(execution_id)
        if self._ready and self._ready.execution_id == execution_id:
            self._ready = None
        if not (self._reading or self._ready) and self._writing is None:
            self._give_back()
        self._count()

    def take(self) -> pb.ManagerMessage | None:
        """The next part, to be written now; None: there is none yet. It begins to read the next."""
        if self._error:
            raise self._error
        if self._ready:
            piece, self._ready = self._ready, None
            self._writing = piece.sent
            self._begin_writing()
            return convert_files.from_piece(piece)
        if self._reading or not self._owed:
            return None
        first = self._owed[0]
        if first.problem:
            self._owed.popleft()
            self._count()
            return convert_files.from_piece(_refused(first.request, first.done, first.problem))
        if self._reservation is None:
            self._length = min(first.left, self._share.part_length)
            self._reservation = self._share.reserve(self._length, self._on_ready, self._on_timeout)
        if self._reservation.granted:
            self._share.begin_reading(self._reservation)
            self._reading = asyncio.create_task(self._read(first))
            self._share.hold(self._reading)
        return None

    def written(self) -> None:
        """What was taken last is written."""
        if self._writing is not None:
            self._share.on_written(self._writing)
            self._writing = None
            self._give_back()
            self._count()

    def close(self) -> None:
        """The session has ended."""
        if self._reading:
            self._reading.cancel()
        self._owed.clear()
        self._allowed.clear()
        self._ready, self._writing = None, None
        self._give_back()
        self._count()

    async def _read(self, owed: _Owed) -> None:
        try:
            piece = await self._piece(owed)
            if self._owed and self._owed[0] is owed:
                self._take_read(owed, piece)
            else:  # it was forgotten meanwhile
                self._give_back()
        except Exception as error:  # ends the session
            self._error = error
        finally:
            self._reading = None
            self._on_ready()

    async def _piece(self, owed: _Owed) -> FilePiece:
        """Bytes of a request, or why there are none."""
        request = owed.request
        offset, length = request.offset + owed.done, min(owed.left, self._length)
        problem = ""
        for _ in range(_TRIES):
            try:
                content = await self._share.source.read(owed.sha256, request.part, offset, length)
                if isinstance(content, int):
                    content = await self._read_hole(owed, content)
                return FilePiece(request.execution_id, request.part, offset, content)
            except (NotFoundError, InvalidInputError) as error:
                problem = str(error)
                break
            except StorageError as error:
                problem = str(error)
                await asyncio.sleep(_RETRY)
        return _refused(request, owed.done, problem)

    async def _read_hole(self, owed: _Owed, zeros: int) -> int:
        """The number of all zeros that follow, as far as they were asked for: one part has them."""
        offset = owed.request.offset + owed.done
        while zeros < owed.left:
            more = await self._share.source.read(
                owed.sha256, owed.request.part, offset + zeros, min(owed.left - zeros, self._length)
            )
            if not isinstance(more, int):
                break
            zeros += more
        return zeros

    def _take_read(self, owed: _Owed, piece: FilePiece) -> None:
        if piece.problem:
            self._drop(piece.execution_id)
        owed.done += piece.length
        if not owed.left:
            self._owed.popleft()
        self._ready = piece
        self._begin_writing()

    def _begin_writing(self) -> None:
        if self._reservation:
            self._share.begin_writing(self._reservation)

    def _drop(self, execution_id: str) -> None:
        if any(owed.request.execution_id == execution_id for owed in self._owed):
            kept = [one for one in self._owed if one.request.execution_id != execution_id]
            self._owed = deque(kept)

    def _give_back(self) -> None:
        if self._reservation:
            self._share.give_back(self._reservation)
            self._reservation = None

    def _count(self) -> None:
        """Counts the session among those that send, or no more."""
        sending = bool(self._owed or self._ready) or self._writing is not None
        if sending != self._sending:
            self._sending = sending
            self._share.sending += 1 if sending else -1


def _refused(request: FileRequest, done: int, problem: str) -> FilePiece:
    return FilePiece(request.execution_id, request.part, request.offset + done, problem=problem)
