"""One execution in the agent's memory: its state, and how much of it the manager has."""

import logging
from collections.abc import Iterable
from enum import StrEnum

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions import convert_messages
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import STREAMS, Order, Result
from tui_manager_agent.journal.read_failures import ReadFailures
from tui_manager_agent.supervisor import clock

CHUNK = 64 * 1024  # bytes of one Output
_OVERHEAD = 128  # bytes of a Report that each part takes beside its data
_LOG = logging.getLogger(__name__)


class State(StrEnum):
    ACCEPTED = "accepted"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


_WIRE_STATE = {
    State.ACCEPTED: wire.EXECUTION_STATE_ACCEPTED,
    State.STARTING: wire.EXECUTION_STATE_STARTING,
    State.RUNNING: wire.EXECUTION_STATE_RUNNING,
    State.ENDED: wire.EXECUTION_STATE_ENDED,
}


class Execution:
    """What the agent knows of one execution, and what it has reported of it in this session.

    Attributes:
        order: while it waits; None afterwards, because it holds secrets.
        result: None until it ended.
        reporting: whether the manager wants reports of it in this session.
        read_failed: output could not be read for the last report.
        is_update: it updates this agent.
    """

    def __init__(self, execution_id: str, spool: ExecutionFolder, boot_id: str) -> None:
        self.id = execution_id
        self.spool = spool
        self._boot_id = boot_id
        self.state = State.ACCEPTED
        self.order: Order | None = None
        self.result: Result | None = None
        self.reporting = True
        self.read_failed = False
        self.is_update = False
        self._started = 0
        self._read_failures = ReadFailures()  # by stream
        self._sizes = dict.fromkeys(STREAMS, 0)
        self._stored = dict.fromkeys(STREAMS, 0)  # by the manager
        self._sent = dict.fromkeys(STREAMS, 0)
        self._start_sent = False
        self._result_sent = False
        self._progress: tuple[int, int] | None = None  # of a transfer: bytes and files
        self._progress_sent: tuple[int, int] | None = None

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED

    def read_folder(self) -> None:
        """Reads what the supervisor has written."""
        if self.result is None:
            # The result first: output that it counts can then be seen.
            if result := self.spool.result():
                self._started = result.started_in(self._boot_id)
                self.set_result(result)
                return
            self._started = self._started or self.spool.started(self._boot_id)
            for stream in STREAMS:
                # A size only grows; while the folder is out of reach, it reads as 0.
                self._sizes[stream] = max(self._sizes[stream], self.spool.size(stream))
            if self._started:
                self.state = State.RUNNING

    def begin_transfer(self, started: int) -> None:
        """Marks it as a copy or a fetch that runs since this time; boot-time ns."""
        self._started = started
        self.state = State.RUNNING

    def set_progress(self, size: int, files: int) -> bool:
        """How many bytes and files of a transfer are done. False if that is known already."""
        was, self._progress = self._progress, (size, files)
        return was != self._progress

    def set_result(self, result: Result) -> None:
        """Notes that it has ended. The result says how much output there is."""
        self.result = result
        self.state = State.ENDED
        self._sizes = {stream: result.stored.get(stream, 0) for stream in STREAMS}

    def for_hello(self) -> wire.HeldExecution:
        """The entry of this execution in Hello."""
        return wire.HeldExecution(
            execution_id=self.id,
            state=_WIRE_STATE[self.state],
            offsets=convert_messages.to_offsets(self._sizes),
            has_result=self.result is not None,
        )

    def sizes(self) -> dict[str, int]:
        """Bytes of each stream that were spooled."""
        return dict(self._sizes)

    # ------------------------------------------------------------------------------ in a session

    def begin_session(self) -> None:
        """Nothing was reported in the new session, and nothing is until Resume."""
        self.reporting = False
        self.report_again()

    def report_again(self) -> None:
        """Reports everything once more that the manager may not have stored."""
        self._start_sent = self._result_sent = False
        self._progress_sent = None
        self._sent = dict(self._stored)
        self._read_failures.clear()

    def resume(self, offsets: Iterable[wire.StreamOffset]) -> None:
        """Reports from where the manager's database ends."""
        self.reporting = True
        self._stored = dict.fromkeys(STREAMS, 0)
        self.acknowledge(offsets)
        self.report_again()

    def acknowledge(self, offsets: Iterable[wire.StreamOffset]) -> None:
        """The manager has stored the output up to these offsets."""
        for offset in offsets:
            stream = convert_messages.STREAM.get(offset.stream, "")
            if stream:
                self._stored[stream] = max(self._stored[stream], offset.offset)
                self._sent[stream] = max(self._sent[stream], offset.offset)

    def add_to(self, report: wire.Report, budget: int, window: int) -> int:
        """Adds to a report what is new.

        Args:
            budget: bytes that the report may still grow by.
            window: bytes that may be under way unacknowledged.
        Returns:
            Bytes by which the report grew, at most; 0: nothing can be reported now.
        """
        self.read_failed = False
        if not self.reporting:
            return 0
        used = 0
        if self._started and not self._start_sent:
            age = convert_messages.to_duration(clock.now() - self._started)
            report.started.append(wire.Started(execution_id=self.id, age=age))
            self._start_sent = True
            used += _OVERHEAD
        if self._progress not in (None, self._progress_sent) and not self.ended:
            size, files = self._progress
            report.transfers.add(execution_id=self.id, bytes=size, files=files)
            self._progress_sent = self._progress
            used += _OVERHEAD
        for stream in STREAMS:
            used += self._add_output(report, stream, budget - used, window)
        complete = all(self._sent[s] >= self._sizes[s] for s in STREAMS)
        if self.result is not None and complete and not self._result_sent:
            report.results.append(convert_messages.to_result(self.id, self.result, self._boot_id))
            self._result_sent = True
            used += _OVERHEAD + len(self.result.detail)
        return used

    def _add_output(self, report: wire.Report, stream: str, budget: int, window: int) -> int:
        offset = self._sent[stream]
        wanted = self._sizes[stream] - offset
        if wanted <= 0:
            return 0
        under_way = sum(max(0, self._sent[s] - self._stored[s]) for s in STREAMS)
        room = min(CHUNK, window - under_way, budget)
        if room <= 0:
            return 0
        length = min(wanted, room)
        number = convert_messages.WIRE_STREAM[stream]
        part = wire.Output(execution_id=self.id, stream=number, offset=offset)
        try:
            data = self.spool.read(stream, offset, length)
            self._read_failures.forget(stream)
        except OSError as error:
            if not self._is_permanent(stream, error):
                self.read_failed = True
                return 0
            data, wanted = b"", length
        if data:
            part.data = data
        else:
            part.gap = wanted
        self._sent[stream] += len(data) or wanted
        report.output.append(part)
        return _OVERHEAD + len(data)

    def _is_permanent(self, stream: str, error: OSError) -> bool:
        """Whether to give up output that cannot be read. If not, it is read again later."""
        if self._read_failures.note(stream, error):
            _LOG.error("output not read, again later: execution_id=%s error=%s", self.id, error)
            return False
        permanent = self._read_failures.is_permanent(stream)
        if permanent:
            _LOG.error("output not read, given up: execution_id=%s error=%s", self.id, error)
        return permanent
