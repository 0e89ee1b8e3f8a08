"""The messages of running transfers: converts requests and answers of transfers to messages of the
stream, and back."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from itertools import chain

from tui_manager_protos.rules.files.transfer_window import LARGEST, SMALLEST
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.files.copy.piece_requests import PartRange, PieceRequests, UnaskedError
from tui_manager_agent.files.fetch.fetch_answers import Answer, FetchAnswers, TooManyRequestsError
from tui_manager_agent.files.transfer_work import Request, Stored
from tui_manager_agent.journal.transfer_records import FileSet

REQUESTS = 64  # unanswered ones of all transfers; the manager takes no more
_LOG = logging.getLogger(__name__)
Channel = PieceRequests | FetchAnswers


class FileMessages:
    """The transfers that have something to send, in turn, one message at a time.

    A message that fits no transfer is logged. It changes nothing, or ends the transfer that it
    names.

    Args:
        wake: is called when `next_message` may have one.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._channels: dict[str, tuple[Execution, Channel]] = {}
        # Of works that have ended, with unanswered requests.
        self._left: dict[str, list[PieceRequests]] = {}
        self._ready: dict[str, None] = {}
        self._refusals: deque[wire.FilePart] = deque(maxlen=REQUESTS)

    def waker(self, execution_id: str) -> Callable[[], None]:
        """What a work calls from its thread when it has something to send."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.set_ready, execution_id)

        return wake

    def add(self, execution: Execution, channel: Channel) -> None:
        """From now on messages of this execution go to its channel, and come from it."""
        self._channels[execution.id] = execution, channel
        self._share_window()
        self.set_ready(execution.id)

    def remove(self, execution: Execution) -> None:
        """Its work has ended. The manager may still answer what it has asked for, until it has the
        result."""
        _, channel = self._channels.pop(execution.id, (None, None))
        self._share_window()
        if isinstance(channel, PieceRequests) and channel.unanswered:
            channel.fail("It has ended.")
            self._left.setdefault(execution.id, []).append(channel)

    def forget(self, execution_id: str) -> None:
        """Call it when the manager has the result. Requests that it has not answered by then stay
        unanswered."""
        if self._left.pop(execution_id, None):
            self._ready_again()

    def set_ready(self, execution_id: str) -> None:
        """An execution may have something to send, if it is a transfer that runs."""
        if execution_id in self._channels:
            self._ready[execution_id] = None
            self._wake()

    @property
    def has_any(self) -> bool:
        """Whether `next_message` may have one."""
        return bool(self._ready or self._refusals)

    def begin_session(self) -> None:
        """Forgets the requests of earlier streams, in both directions: they get no answer any
        more."""
        self._refusals.clear()
        self._left.clear()
        for _, channel in self._channels.values():
            channel.begin_session()

    def next_message(self) -> wire.AgentMessage | None:
        """What is to be sent now, if anything."""
        if self._refusals:
            return wire.AgentMessage(file_part=self._refusals.popleft())
        while self._ready:
            execution_id = next(iter(self._ready))
            del self._ready[execution_id]
            execution, channel = self._channels.get(execution_id, (None, None))
            if execution is None or channel is None or not execution.reporting:
                continue
            if message := self._message(execution_id, channel):
                self._ready[execution_id] = None  # behind the others
                return message
        return None

    def _message(self, execution_id: str, channel: Channel) -> wire.AgentMessage | None:
        if isinstance(channel, PieceRequests):
            if self._unanswered() >= REQUESTS:
                return None
            wanted = channel.next_request()
            return _request_message(execution_id, wanted) if wanted else None
        found = channel.next_message()
        if isinstance(found, FileSet):
            files = to_file_set(found)
            return wire.AgentMessage(
                files_found=wire.FilesFound(execution_id=execution_id, files=files)
            )
        return _part_message(execution_id, found) if found else None

    def _unanswered(self) -> int:
        return sum(pull.unanswered for pull in chain(self._pulls(), *self._left.values()))

    def _pulls(self) -> list[PieceRequests]:
        return [
            channel for _, channel in self._channels.values() if isinstance(channel, PieceRequests)
        ]

    def _share_window(self) -> None:
        """All copies together take no more memory than one, unless there are very many."""
        pulls = self._pulls()
        for pull in pulls:
            pull.limit_window(max(SMALLEST, LARGEST // len(pulls)))

    def _ready_again(self) -> None:
        """There is room for another request."""
        for execution_id in self._channels:
            self.set_ready(execution_id)

    # -------------------------------------------------------------------- what the manager says

    async def on_part(self, message: wire.FilePart) -> None:
        execution_id = message.execution_id
        _, channel = self._channels.get(execution_id, (None, None))
        left = self._left.get(execution_id)  # it has asked first, and answers come in order
        pull = left[0] if left else channel
        if not isinstance(pull, PieceRequests):
            _log_unknown("file_part", execution_id)
            return
        was_full = self._unanswered() >= REQUESTS
        if message.HasField("problem"):
            self._left.pop(execution_id, None)
            if isinstance(channel, PieceRequests):
                channel.fail(message.problem or "The manager cannot send the files.")
        elif _receive(pull, message):
            if left and not pull.unanswered:
                left.remove(pull)
            self.set_ready(execution_id)
        if was_full and self._unanswered() < REQUESTS:
            self._ready_again()

    async def on_request(self, message: wire.FileRequest) -> None:
        _, channel = self._channels.get(message.execution_id, (None, None))
        if not isinstance(channel, FetchAnswers):
            _log_unknown("file_request", message.execution_id)
            self._refuse(message, "This execution has no files to send: it has ended.")
            return
        is_manifest = message.part == wire.FILE_SET_PART_MANIFEST
        try:
            channel.ask(Request(is_manifest, message.offset, message.length))
        except TooManyRequestsError as error:
            _LOG.error("refused: execution_id=%s error=%s", message.execution_id, error)
            self._refuse(message, f"The agent answers no more at once: {error}.")

    async def on_stored(self, message: wire.FilesStored) -> None:
        _, channel = self._channels.get(message.execution_id, (None, None))
        if isinstance(channel, FetchAnswers):
            channel.on_stored(Stored(message.problem, message.retry))
        else:
            _log_unknown("files_stored", message.execution_id)

    def _refuse(self, message: wire.FileRequest, problem: str) -> None:
        self._refusals.append(
            wire.FilePart(
                execution_id=message.execution_id,
                part=message.part,
                offset=message.offset,
                problem=problem,
            )
        )
        self._wake()


def _receive(pull: PieceRequests, message: wire.FilePart) -> bool:
    """Whether a request is answered with this part. One that does not fit ends the copy."""
    piece = message.zeros if message.HasField("zeros") else message.data
    is_manifest = message.part == wire.FILE_SET_PART_MANIFEST
    try:
        return pull.receive(is_manifest, message.offset, piece)
    except UnaskedError as error:
        _LOG.error("not asked for: execution_id=%s error=%s", message.execution_id, error)
        pull.fail(f"The manager has sent {error}; start the copy again.")
        return False


def to_file_set(files: FileSet) -> wire.FileSet:
    return wire.FileSet(
        sha256=files.sha256,
        manifest_size=files.manifest_size,
        size=files.size,
        files=files.files,
        bytes=files.bytes,
    )


def from_file_set(files: wire.FileSet) -> FileSet:
    return FileSet(files.sha256, files.manifest_size, files.size, files.files, files.bytes)


def _part(is_manifest: bool) -> wire.FileSetPart.ValueType:
    return wire.FILE_SET_PART_MANIFEST if is_manifest else wire.FILE_SET_PART_DATA


def _request_message(execution_id: str, wanted: PartRange) -> wire.AgentMessage:
    request = wire.FileRequest(
        execution_id=execution_id,
        part=_part(wanted.is_manifest),
        offset=wanted.at,
        length=wanted.end - wanted.at,
    )
    return wire.AgentMessage(file_request=request)


def _part_message(execution_id: str, answer: Answer) -> wire.AgentMessage:
    part = wire.FilePart(
        execution_id=execution_id, part=_part(answer.is_manifest), offset=answer.offset
    )
    if answer.problem:
        part.problem = answer.problem
    elif isinstance(answer.piece, int):
        part.zeros = answer.piece
    else:
        part.data = answer.piece
    return wire.AgentMessage(file_part=part)


def _log_unknown(kind: str, execution_id: str) -> None:
    _LOG.warning("no such transfer runs here: kind=%s execution_id=%.64r", kind, execution_id)
