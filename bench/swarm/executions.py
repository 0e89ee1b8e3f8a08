"""What one emulated agent holds: its journal in memory, and a runner that answers."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.link.link import MessageHandlers
from tui_manager_protos.v1 import agent_pb2 as pb

from bench.swarm.counts import Moments, Tally, Trace
from bench.swarm.emulated_command import Outcome, parse
from bench.swarm.spool import BOOT_ID, PretendSpool

Held = tuple[Execution, PretendSpool]
NOTHING = Outcome(0, 0.0, 0)


class TracingOutbox(Outbox):
    """Notes when a result is put into a report."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def report(self) -> pb.Report:
        """See Outbox."""
        report = super().report()
        for result in report.results:
            if moments := self._trace.get(result.execution_id):
                moments.told = time.monotonic_ns()
        return report


class Executions:
    """Answers the manager as the agent's own would, without processes and without a disk.

    Args:
        remembers: how many acknowledged executions a repeat is still answered for.
        trace: where the moments of each execution are noted.
    """

    def __init__(self, outbox: Outbox, tally: Tally, remembers: int, trace: Trace | None) -> None:
        self._outbox = outbox
        self._tally = tally
        self._remembers = remembers
        self._trace = trace
        self._held: dict[str, Held] = {}
        self._past: OrderedDict[str, Held] = OrderedDict()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def running(self) -> int:
        """How many have not ended."""
        return len(self._timers)

    @property
    def unended(self) -> Sequence[str]:
        """The ids of these, the oldest first."""
        return list(self._timers)

    def handlers(self) -> MessageHandlers:
        """What handles the messages of the manager."""
        return {
            "run_command": self.run,
            "cancel_command": self.cancel,
            "resume": self.resume,
            "acknowledge": self.acknowledge,
        }

    def begin_session(self) -> list[pb.HeldExecution]:
        """Everything held, for Hello; nothing more is said of it until Resume."""
        for execution, _ in self._held.values():
            execution.begin_session()
        return [execution.for_hello() for execution, _ in self._held.values()]

    async def run(self, message: pb.RunCommand) -> None:
        """Does as if the command ran."""
        execution_id = message.execution_id
        if self._trace is not None:
            self._trace.setdefault(execution_id, Moments(received=time.monotonic_ns()))
        if known := self._known(execution_id):
            self._tally.repeats += 1
            self._say_again(known[0])
            return
        self._tally.runs += 1
        try:
            outcome = parse(message.command).outcome(execution_id)
        except ValueError as error:
            execution, spool = self._hold(execution_id, NOTHING)
            spool.fail("spawn_failed", str(error))
            self._tell(execution)
            return
        execution, spool = self._hold(execution_id, outcome)
        spool.begin()
        if outcome.seconds:
            loop = asyncio.get_running_loop()
            self._timers[execution_id] = loop.call_later(outcome.seconds, self._end, execution_id)
        else:
            spool.complete()
        self._tell(execution)

    def finish(self, execution_id: str, code: int) -> None:
        """A command comes to its end now, and with this exit code."""
        _, spool = self._held[execution_id]
        spool.outcome = replace(spool.outcome, code=code)
        self._timers[execution_id].cancel()
        self._end(execution_id)

    async def cancel(self, message: pb.CancelCommand) -> None:
        """Ends it, or leaves a tombstone."""
        known = self._known(message.execution_id)
        if known is None:
            self._kill(*self._hold(message.execution_id, NOTHING))
        elif known[0].ended:
            self._say_again(known[0])
        elif message.mode != pb.CANCEL_MODE_ONLY_IF_NOT_STARTED:
            self._kill(*known)

    async def resume(self, message: pb.Resume) -> None:
        """The manager's answer for what Hello named."""
        if message.execution_id not in self._held:
            return
        execution, spool = self._held[message.execution_id]
        if message.action == pb.RESUME_ACTION_STORED:
            self._forget(execution)
        elif message.action == pb.RESUME_ACTION_UNKNOWN:
            self._tally.unknown += 1
        else:
            execution.resume(message.offsets)
            self._tell(execution)
            if message.action == pb.RESUME_ACTION_CANCEL and not execution.ended:
                self._kill(execution, spool)

    async def acknowledge(self, message: pb.Acknowledge) -> None:
        """What the manager has for good."""
        for item in message.executions:
            if item.execution_id not in self._held:
                continue
            execution, _ = self._held[item.execution_id]
            execution.acknowledge(item.offsets)
            if item.result:
                self._forget(execution)
            else:
                self._outbox.add(execution)

    def _hold(self, execution_id: str, outcome: Outcome) -> Held:
        spool = PretendSpool(execution_id, outcome)
        self._held[execution_id] = held = Execution(execution_id, spool, BOOT_ID), spool
        return held

    def _known(self, execution_id: str) -> Held | None:
        """What is held, or was and is taken up again to be said once more."""
        if execution_id in self._past:
            self._held[execution_id] = self._past.pop(execution_id)
        return self._held.get(execution_id)

    def _say_again(self, execution: Execution) -> None:
        execution.reporting = True
        execution.report_again()
        self._outbox.add(execution)

    def _kill(self, execution: Execution, spool: PretendSpool) -> None:
        if timer := self._timers.pop(execution.id, None):
            timer.cancel()
        spool.cancel()
        self._tell(execution)

    def _end(self, execution_id: str) -> None:
        del self._timers[execution_id]
        execution, spool = self._held[execution_id]
        spool.complete()
        self._tell(execution)

    def _tell(self, execution: Execution) -> None:
        execution.read_folder()
        self._outbox.add(execution)

    def _forget(self, execution: Execution) -> None:
        if not execution.ended:
            return
        if self._trace is not None and (moments := self._trace.get(execution.id)):
            moments.acknowledged = time.monotonic_ns()
        self._past[execution.id] = self._held.pop(execution.id)
        while len(self._past) > self._remembers:
            self._past.popitem(last=False)
