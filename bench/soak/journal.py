"""An emulated agent's journal in memory: what it holds, and what it has handed over."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field

from tui_manager_protos.v1 import agent_pb2 as pb

from bench.soak.work import Work, output

_PAST = 50  # results that are remembered behind their acknowledgement
_PIECE = 64 * 1024  # bytes of output in one report


@dataclass(slots=True)
class Execution:
    """One command. It goes on whether there is a session or not.

    Attributes:
        available: bytes printed so far.
        sent: bytes that this session has carried; begins at what the manager has stored.
        hushed: nothing is said of it, until the manager has answered for it in this session.
    """

    execution_id: str
    work: Work
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    result: pb.Result | None = None
    available: int = 0
    sent: int = 0
    told_start: bool = False
    told_result: bool = False
    hushed: bool = False

    def end(self, status: pb.ResultStatus.ValueType) -> None:
        """Makes the result; what was printed until then is all."""
        self.ended = time.monotonic()
        self.result = pb.Result(execution_id=self.execution_id, status=status)
        if status == pb.RESULT_STATUS_FAILED:
            self.result.reason = pb.RESULT_REASON_EXIT_CODE
        if status != pb.RESULT_STATUS_CANCELED:
            self.result.exit_code = self.work.code
        self.result.duration.FromNanoseconds(int((self.ended - self.began) * 1e9))
        self.result.totals.add(stream=pb.STREAM_STDOUT, stored=self.available)

    def resume(self, stored: int) -> None:
        """Says everything behind `stored` bytes again."""
        self.sent, self.hushed = stored, False
        self.told_start = self.told_result = False

    def report(self, into: pb.Report) -> bool:
        """Adds what is to be said next; False when more remains to be said."""
        if not self.told_start:
            self.told_start = True
            into.started.add(execution_id=self.execution_id).age.FromNanoseconds(
                int((time.monotonic() - self.began) * 1e9)
            )
        if self.sent < self.available:
            until = min(self.available, self.sent + _PIECE)
            data = output(self.execution_id, until)[self.sent :]
            into.output.add(
                execution_id=self.execution_id,
                stream=pb.STREAM_STDOUT,
                offset=self.sent,
                data=data,
            )
            self.sent = until
        if self.sent < self.available:
            return False
        if self.result and not self.told_result:
            self.told_result = True
            said = into.results.add()
            said.CopyFrom(self.result)
            said.age.FromNanoseconds(int((time.monotonic() - self.ended) * 1e9))
        return True

    def held(self) -> pb.HeldExecution:
        """As Hello names it."""
        ended = self.result is not None
        return pb.HeldExecution(
            execution_id=self.execution_id,
            state=pb.EXECUTION_STATE_ENDED if ended else pb.EXECUTION_STATE_RUNNING,
            has_result=ended,
        )


class Journal:
    """What one agent holds, and the newest of what it has handed over."""

    def __init__(self) -> None:
        self.held: dict[str, Execution] = {}
        self._past: OrderedDict[str, Execution] = OrderedDict()

    def known(self, execution_id: str) -> Execution | None:
        """An execution that is held, or was and is taken up again to be said once more."""
        if execution_id in self._past:
            self.held[execution_id] = self._past.pop(execution_id)
        return self.held.get(execution_id)

    def forget(self, execution_id: str) -> None:
        """The manager has everything of it."""
        execution = self.held.pop(execution_id, None)
        if execution:
            self._past[execution_id] = execution
            while len(self._past) > _PAST:
                self._past.popitem(last=False)
