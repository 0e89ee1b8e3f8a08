"""One execution in the agent's memory: its state, and how far the manager has been told of it."""

import logging
from collections.abc import Iterable
from enum import StrEnum

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions import conversion, result
from tui_manager_agent.journal.read_failures import Unreadable
from tui_manager_agent.journal.spool import STREAMS, Spool
from tui_manager_agent.supervisor import clock

CHUNK = 64 * 1024  # bytes of one Output
_OVERHEAD = 128  # bytes of a Report that each part takes beside its data
_LOG = logging.getLogger(__name__)


class State(StrEnum):
    ACCEPTED = "accepted"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class Execution:
    """What the agent knows of one execution, and what it has said of it in this session.

    Attributes:
        order: while it waits; empty afterwards, because it holds secrets.
        result: the result's fields; empty until it ended.
        silent: the manager has not said yet whether it wants to hear of this.
        unread: output could not be read when there was a report to be filled.
    """

    def __init__(self, execution_id: str, spool: Spool, boot_id: str) -> None:
        self.id = execution_id
        self.spool = spool
        self._boot_id = boot_id
        self.state = State.ACCEPTED
        self.order: dict[str, str] = {}
        self.result: dict[str, str] = {}
        self.silent = False
        self.unread = False
        self._started = 0
        self._unreadable = Unreadable()  # streams
        self._sizes = dict.fromkeys(STREAMS, 0)
        self._stored = dict.fromkeys(STREAMS, 0)  # by the manager
        self._sent = dict.fromkeys(STREAMS, 0)
        self._told_start = False
        self._told_result = False

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED

    def refresh(self) -> None:
        """Looks at what the supervisor has written."""
        if not self.result:
            # The result first: output that it counts is then there to be seen.
            self.result = self.spool.result()
            if self.result:
                self._started = result.started(self.result, self._boot_id)
            elif not self._started:
                self._started = self.spool.started(self._boot_id)
            for stream in STREAMS:
                # It only grows; where its folder is out of reach, there is nothing to see.
                self._sizes[stream] = max(self._sizes[stream], self.spool.size(stream))
        if self.result:
            self.state = State.ENDED
            for stream in STREAMS:
                self._sizes[stream] = result.stored(self.result, stream)
        elif self._started:
            self.state = State.RUNNING

    def held(self) -> wire.HeldExecution:
        states = {
            State.ACCEPTED: wire.EXECUTION_STATE_ACCEPTED,
            State.STARTING: wire.EXECUTION_STATE_STARTING,
            State.RUNNING: wire.EXECUTION_STATE_RUNNING,
            State.ENDED: wire.EXECUTION_STATE_ENDED,
        }
        return wire.HeldExecution(
            execution_id=self.id,
            state=states[self.state],
            offsets=conversion.to_offsets(self._sizes),
            has_result=bool(self.result),
        )

    def remains(self) -> dict[str, int]:
        """What a result says of an execution whose supervisor left none."""
        remains = {f"{stream}_stored": size for stream, size in self._sizes.items()}
        duration = self.spool.ran_for(self._boot_id)
        if duration is not None:
            remains["duration"] = duration
        return remains

    # ------------------------------------------------------------------------- in a conversation

    def hush(self) -> None:
        """A new session: nothing has been said in it, and nothing is until Resume."""
        self.silent = True
        self.repeat()

    def repeat(self) -> None:
        """Says everything again that is not known to be stored."""
        self._told_start = self._told_result = False
        self._sent = dict(self._stored)
        self._unreadable.clear()

    def resume(self, offsets: Iterable[wire.StreamOffset]) -> None:
        """Goes on where the manager's database ends."""
        self.silent = False
        self._stored = dict.fromkeys(STREAMS, 0)
        self.stored(offsets)
        self.repeat()

    def stored(self, offsets: Iterable[wire.StreamOffset]) -> None:
        """The manager has this much for good."""
        for offset in offsets:
            stream = conversion.STREAM.get(offset.stream, "")
            if stream:
                self._stored[stream] = max(self._stored[stream], offset.offset)
                self._sent[stream] = max(self._sent[stream], offset.offset)

    def tell(self, report: wire.Report, budget: int, window: int) -> int:
        """Adds what there is to say now to a report.

        Args:
            budget: bytes that the report may still grow by.
            window: bytes that may be under way unacknowledged.
        Returns:
            Bytes by which the report grew, at most; 0: there is nothing to say now.
        """
        self.unread = False
        if self.silent:
            return 0
        used = 0
        if self._started and not self._told_start:
            age = conversion.to_duration(clock.now() - self._started)
            report.started.append(wire.Started(execution_id=self.id, age=age))
            self._told_start = True
            used += _OVERHEAD
        for stream in STREAMS:
            used += self._tell_output(report, stream, budget - used, window)
        complete = all(self._sent[s] >= self._sizes[s] for s in STREAMS)
        if self.result and complete and not self._told_result:
            report.results.append(conversion.to_result(self.id, self.result, self._boot_id))
            self._told_result = True
            used += _OVERHEAD + len(self.result.get("detail", ""))
        return used

    def _tell_output(self, report: wire.Report, stream: str, budget: int, window: int) -> int:
        offset = self._sent[stream]
        wanted = self._sizes[stream] - offset
        if wanted <= 0:
            return 0
        under_way = sum(max(0, self._sent[s] - self._stored[s]) for s in STREAMS)
        room = min(CHUNK, window - under_way, budget)
        if room <= 0:
            return 0
        length = min(wanted, room)
        part = wire.Output(
            execution_id=self.id, stream=conversion.WIRE_STREAM[stream], offset=offset
        )
        try:
            data = self.spool.read(stream, offset, length)
            self._unreadable.forget(stream)
        except OSError as error:
            if not self._is_gone(stream, error):
                self.unread = True
                return 0
            data, wanted = b"", length
        if data:
            part.data = data
        else:
            part.gap = wanted
        self._sent[stream] += len(data) or wanted
        report.output.append(part)
        return _OVERHEAD + len(data)

    def _is_gone(self, stream: str, error: OSError) -> bool:
        """Whether output that cannot be read never will be; if not, it may be told later."""
        if self._unreadable.is_new(stream, error):
            _LOG.error("output not read, again later: execution_id=%s error=%s", self.id, error)
            return False
        gone = self._unreadable.is_gone(stream)
        if gone:
            _LOG.error("output not read, given up: execution_id=%s error=%s", self.id, error)
        return gone
