"""One live stream of one agent, and the queues of messages for it."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.domain.hosts.agent_messages import Acknowledged, Run
from tui_manager.domain.hosts.file_transfer import FileRequest
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.domain.status import Admission
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import convert_files, convert_messages
from tui_manager.transport.messages.message_guard import MessageGuard
from tui_manager.transport.sessions.byte_budget import Reservation
from tui_manager.transport.sessions.certificate_renewal import CertificateRenewal
from tui_manager.transport.sessions.file_parts import FileParts, FileShare
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.loop_budget import LoopBudget

log = logging.getLogger(__name__)

RUNS_MAX = 64  # commands that wait on a session; others stay unsent in the database
_SMALL = 64 * 1024  # bytes of commands that are converted at once; larger ones need a reservation
_BATCH_SIZE = 256 * 1024  # bytes of messages that are sent as one; a larger one is sent alone
# So many messages are sent as one without a look at their sizes, because that look would cost as
# much as to send them. The commands among them have at most _SMALL bytes, the others are small.
_FEW = 8
_AT_ONCE = timedelta(milliseconds=1)
UNKNOWN_MAX = 1000  # answers to reports of unknown executions that wait on a session


class _WaitingRun(NamedTuple):
    """A command in the queue of a session, since an instant of `time.monotonic`."""

    run: Run
    since: float

    def to_send(self) -> Run:
        """The command as it is sent now: some of the time in which it must start has passed."""
        if self.run.start_before is None:
            return self.run
        left = self.run.start_before - timedelta(seconds=time.monotonic() - self.since)
        return replace(self.run, start_before=max(_AT_ONCE, left))


class Session:
    """The queues of messages for one stream. Commands and answers have limits. Acknowledgements
    are merged into one message. There are no more cancels than sent commands. Settings change only
    when an operator changes something, or the size of the fleet, the hosts that print much, or the
    managers change."""

    def __init__(
        self,
        opened: OpenedSession,
        limits: Limits,
        guard: MessageGuard,
        on_room: Callable[[str], None],
        large: LargeCommands,
        files: FileShare,
        renewal: CertificateRenewal | None = None,
        managers: tuple[str, ...] = (),
    ) -> None:
        """
        Args:
            on_room: called with the host_id when a full session accepts commands again.
            large, files: what all sessions share.
            renewal: of the certificate of the TLS handshake; None: without TLS.
            managers: the addresses of all managers; empty: the agent is told none.

        `on_end` is called once when the session ends. `end_reason` says how it ended; None: it has
        not.
        """
        self.host_id = opened.host_id
        self.generation = opened.generation
        self.guard = guard
        self.renewal = renewal
        self.managers = managers
        self.on_end: Callable[[], object] = lambda: None
        self._admission = opened.admission
        self._heartbeat = opened.heartbeat
        self.limits = limits
        self._on_room = on_room
        self._large = large
        self._file_share = files
        self._file_parts: FileParts | None = None  # most sessions send no files
        self._reserved: Reservation | None = None  # for the first of `_runs`
        self._sending: Reservation | None = None  # for the message that is being written
        self._control_messages: list[pb.ManagerMessage] = []
        self._acknowledged: dict[str, Acknowledged] = {}
        self._cancels: dict[str, None] = {}
        self._unknown: dict[str, None] = {}
        # A list: few commands wait, and an empty deque of each of 10,000 sessions takes 0.7 kB.
        self._runs: list[_WaitingRun] = []
        self._was_full = False
        self._last_message: pb.ManagerMessage | None = None
        self._ended = False
        self.end_reason: SessionEnd | None = None
        self._pending = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more commands it accepts."""
        return 0 if self._ended else RUNS_MAX - len(self._runs)

    @property
    def waiting(self) -> int:
        """Messages that wait to be sent."""
        if not self._pending.is_set() and not self._runs:
            return 0
        return (
            len(self._control_messages)
            + bool(self._acknowledged)
            + len(self._cancels)
            + len(self._unknown)
            + len(self._runs)
        )

    def welcome(self, manager_id: str, opened: OpenedSession) -> None:
        """Sends the first messages of a session."""
        self.send_control(convert_messages.from_opened(manager_id, opened, self._settings()))
        for resume in opened.resumes:
            self.send_control(convert_messages.from_resume(resume))
        for execution_id in opened.missing:
            self.send_control(convert_messages.from_question(execution_id))

    def set_admission(self, admission: Admission) -> None:
        """Sends the admission of its host to the agent."""
        self._admission = admission
        self.send_settings()

    def set_heartbeat(self, heartbeat: timedelta) -> None:
        """Sends another heartbeat to the agent."""
        self._heartbeat = heartbeat
        self.send_settings()

    def set_limits(self, limits: Limits) -> None:
        """Sends other limits to the agent."""
        self.limits = limits
        self.send_settings()

    def set_managers(self, managers: tuple[str, ...]) -> None:
        """Sends other addresses of managers to the agent."""
        self.managers = managers
        self.send_settings()

    def send_settings(self) -> None:
        """Sends the current settings to the agent."""
        self.send_control(pb.ManagerMessage(settings=self._settings()))

    def _settings(self) -> pb.Settings:
        renew = self.renewal is not None and self.renewal.wanted
        return convert_messages.from_limits(
            self.limits, self._heartbeat, self._admission, self.managers, renew=renew
        )

    def send_control(self, message: pb.ManagerMessage) -> None:
        """Adds a message that is sent before commands and answers."""
        self._control_messages.append(message)
        self._pending.set()

    def queue_command(self, run: Run) -> None:
        """Adds a command. Raises AgentUnavailableError if there is no room."""
        if not self.room:
            raise AgentUnavailableError("The session has ended, or its queue is full.")
        self._runs.append(_WaitingRun(run, time.monotonic()))
        self._was_full = not self.room
        self._pending.set()

    def queue_cancel(self, execution_id: str) -> None:
        """Adds a cancel. If the command still waits here, the agent gets the cancel alone, and
        answers that it was canceled before it arrived."""
        if self._ended:
            raise AgentUnavailableError("The session has ended.")
        self._cancels[execution_id] = None
        self.forget_files(execution_id)
        for position, (run, _) in enumerate(self._runs):
            if run.execution_id == execution_id:
                del self._runs[position]
                if position == 0:
                    self._end_waiting()
                break
        self._pending.set()

    def queue_acknowledged(self, executions: list[Acknowledged]) -> None:
        """Adds acknowledgements; a newer one of an execution replaces the older one."""
        if executions:
            self._acknowledged.update({item.execution_id: item for item in executions})
            self._pending.set()

    def queue_unknown(self, execution_ids: Iterable[str]) -> None:
        """Tells the agent that these executions are not in the database. Those that do not fit now
        are told when the agent reports them again."""
        for execution_id in execution_ids:
            if len(self._unknown) < UNKNOWN_MAX:
                self._unknown[execution_id] = None
        self._pending.set()

    @property
    def file_parts(self) -> FileParts:
        """What the session owes its agent of files."""
        if self._file_parts is None:
            self._file_parts = FileParts(self._file_share, self._pending.set, self._end_slow)
        return self._file_parts

    def ask_for_files(self, request: FileRequest) -> None:
        """Asks the agent for bytes of files."""
        if not self._ended:
            self.guard.asked_parts.ask(request)
            self.send_control(convert_files.from_request(request))

    def tell_stored(self, execution_id: str, problem: str = "", *, retry: bool = False) -> None:
        """Tells the agent that the files of a fetch are stored, or a sentence that says why not."""
        if not self._ended:
            self.guard.asked_parts.end(execution_id)
            self.send_control(convert_files.from_stored(execution_id, problem, retry=retry))

    def forget_files(self, execution_id: str) -> None:
        """An execution has ended or is to end: nothing more is sent or expected of its files."""
        self.guard.asked_parts.end(execution_id)
        if self._file_parts:
            self._file_parts.forget(execution_id)

    def end(
        self, last: pb.ManagerMessage | None = None, reason: SessionEnd = SessionEnd.REFUSED
    ) -> None:
        """Ends the stream: only `last` is still sent, and nothing more is read."""
        if not self._ended:
            self._ended, self._last_message, self.end_reason = True, last, reason
            self._pending.set()
            self.on_end()

    async def next_messages(self, loop_budget: LoopBudget | None = None) -> list[pb.ManagerMessage]:
        """Waits for messages and returns them in order; empty: the stream ends. Those of the call
        before have been written.

        Args:
            loop_budget: what all sessions may use of the loop; None: there are no others.
        """
        self._end_sending()
        while True:
            if self._ended:
                last, self._last_message = self._last_message, None
                return [last] if last else []
            messages = self._take()
            if messages:
                return messages
            if self._may_send_large():
                if message := await self._take_large():
                    return [message]
                continue
            if passing := self._take_passing():
                return passing
            if self._file_parts and (part := self._file_parts.take()):
                return [part]
            self._pending.clear()
            await self._pending.wait()
            if loop_budget and not loop_budget.take():
                await loop_budget.wait()

    def release(self) -> None:
        """Nothing more is written."""
        self._end_sending()
        self._end_waiting()
        if self._file_parts:
            self._file_parts.close()

    def _take(self) -> list[pb.ManagerMessage]:
        """All that waits, but of the commands only the small ones before the first large one."""
        messages, self._control_messages = self._control_messages, []
        if self._acknowledged:
            messages.append(convert_messages.from_acknowledged(self._acknowledged.values()))
            self._acknowledged.clear()
        messages += map(convert_messages.from_run, self._take_small())
        messages += map(convert_messages.from_cancel, self._cancels)
        self._cancels.clear()
        messages += map(convert_messages.from_unknown, self._unknown)
        self._unknown.clear()
        self._tell_room()
        return messages

    def _take_small(self) -> Iterator[Run]:
        size = 0
        while self._runs and not self._runs[0].run.command.contents:
            size += self._runs[0].run.size
            if size > _SMALL:
                return
            yield self._runs.pop(0).to_send()

    def _take_passing(self) -> list[pb.ManagerMessage]:
        """Small commands behind a large one that waits for its share. They are of other tasks: a
        host is sent the next step of a task only when the step before has ended."""
        passing, size = [], 0
        for waiting in self._runs[1:]:
            if waiting.run.command.contents or size + waiting.run.size > _SMALL:
                continue
            size += waiting.run.size
            self._runs.remove(waiting)
            passing.append(convert_messages.from_run(waiting.to_send()))
        self._tell_room()
        return passing

    def _may_send_large(self) -> bool:
        """Whether the first command that waits, which is large, has its reservation. Asks for it
        if it has none."""
        if self._runs and self._reserved is None:
            size = self._runs[0].run.size
            self._reserved = self._large.reserve(size, self._pending.set, self._end_slow)
        return self._reserved is not None and self._reserved.granted

    async def _take_large(self) -> pb.ManagerMessage | None:
        """None: it cannot be sent."""
        assert self._reserved is not None
        self._sending, self._reserved = self._reserved, None
        run = self._runs.pop(0).to_send()
        self._tell_room()
        message = await self._large.message(self._sending, run)
        if message is None or self._ended:
            self._end_sending()
            return None
        return message

    def _end_slow(self) -> None:
        if self._ended:
            return
        log.warning(
            "an agent was too slow to take a script, stdin or bytes of files, and others waited",
            extra={"host_id": self.host_id},
        )
        self.end(reason=SessionEnd.SLOW)

    def _end_sending(self) -> None:
        if self._file_parts:
            self._file_parts.written()
        if self._sending:
            self._large.give_back(self._sending)
            self._sending = None

    def _end_waiting(self) -> None:
        if self._reserved:
            self._large.give_back(self._reserved)
            self._reserved = None

    def _tell_room(self) -> None:
        """A session that was full tells that it accepts commands again, when half of it is free:
        large commands leave one by one, and each claim costs a transaction."""
        if self._was_full and len(self._runs) <= RUNS_MAX // 2:
            self._was_full = False
            self._on_room(self.host_id)


def in_batches(messages: Sequence[pb.ManagerMessage]) -> Iterator[pb.ManagerMessage]:
    """Packs messages into few, in the same order, because each write of gRPC has a cost. Welcome is
    not packed."""
    if len(messages) <= _FEW and not any(one.HasField("welcome") for one in messages):
        if messages:
            yield _batch(messages)
        return
    batch: list[pb.ManagerMessage] = []
    size = 0
    for message in messages:
        welcome = message.HasField("welcome")
        bytes_more = message.ByteSize()
        if batch and (welcome or size + bytes_more > _BATCH_SIZE):
            yield _batch(batch)
            batch, size = [], 0
        if welcome:
            yield message
        else:
            batch.append(message)
            size += bytes_more
    if batch:
        yield _batch(batch)


def _batch(messages: Sequence[pb.ManagerMessage]) -> pb.ManagerMessage:
    if len(messages) == 1:
        return messages[0]
    together = pb.ManagerMessage()
    together.batch.messages.extend(messages)
    return together
