"""Stores what agents report, inside one transaction. A report never raises: what repeats, or is
older than what is stored, changes nothing and is acknowledged.

What is stored of all executions of these reports is read at once. Then each report is compared with
it by the table of transitions. At the end `report_writes` writes all changes; its statements have
the same guards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import (
    Acknowledged,
    ExecutionReport,
    Output,
    Result,
    Started,
    StreamTotal,
)
from tui_manager.domain.ids import made_before
from tui_manager.domain.status import (
    Admission,
    CommandHostStatus,
    Reason,
    Stream,
    TaskStatus,
)
from tui_manager.domain.tasks.transitions import LOST, OPERATION_OF_RESULT, Operation, move
from tui_manager.service.core.advance_task import update_task_status
from tui_manager.service.reports.report_writes import ReportWrites
from tui_manager.storage.engine.statements import from_timedelta
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.tasks import command_hosts
from tui_manager.storage.tables.tasks.command_hosts import StoredExecution

_NEVER_ARRIVED = "It never reached its host, whose agent came back without it."


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """A report of a host.

    Attributes:
        host: the row id of the host; it can only report its own executions.
        generation: of its newest session at this manager.
        at: when the report was received, microseconds since 1970 UTC.
        kept_since: executions that were made before may have been pruned.
    """

    host: int
    generation: int
    report: ExecutionReport
    at: int
    kept_since: int = 0


@dataclass(slots=True)
class ReportOutcome:
    """What a report changed, and what of it could not be stored.

    Attributes:
        refused: the host was turned away meanwhile, or has a newer session elsewhere; nothing of
            the report was stored.
        output: tasks for which output was stored.
        has_room: commands of the host have ended, so it has room for the next ones.
        started: (task_id, execution_id).
        results: accepted results, with their tasks.
        late: how many of these results replaced a guess.
        conflicts: second, different results, with their tasks; the first result stays.
        unknown: executions that the database does not know.
        foreign: executions of another host, which this host must not report.
        holes: executions of which output between the stored bytes and the reported ones is missing.
        over_limit: executions with more output than their limit; the rest was counted, not stored.
        not_brought: fetches that name files that the manager does not have (any more).
    """

    refused: RefusedError | None = None
    acknowledged: list[Acknowledged] = field(default_factory=list)
    output: set[int] = field(default_factory=set)
    output_bytes: int = 0
    has_room: bool = False
    started: list[tuple[int, str]] = field(default_factory=list)
    results: list[tuple[int, Result]] = field(default_factory=list)
    late: int = 0
    conflicts: list[tuple[int, Result]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    holes: set[str] = field(default_factory=set)
    over_limit: set[str] = field(default_factory=set)
    not_brought: frozenset[str] = frozenset()


@dataclass(slots=True)
class AppliedReports:
    """What the reports of one transaction changed.

    Attributes:
        outcomes: of each report, in order.
        tasks: whose command hosts changed, with the new status of those that changed themselves.
    """

    outcomes: list[ReportOutcome]
    tasks: dict[int, TaskStatus | None]


def apply(tx: Transaction, gateway: int, received: Sequence[ReceivedReport]) -> AppliedReports:
    """Stores what hosts report, at most one report of each host.

    Args:
        gateway: the number of this manager.
    """
    admissions = hosts.fence(tx, gateway, [(item.host, item.generation) for item in received])
    execution_ids = dict.fromkeys(
        execution_id for item in received for execution_id in item.report.execution_ids
    )
    executions = command_hosts.stored_executions(tx, execution_ids)
    writes = ReportWrites()
    outcomes = []
    for item in received:
        if refused := _refusal(admissions.get(item.host)):
            outcomes.append(ReportOutcome(refused=refused))
        else:
            outcomes.append(_ReportApplier(item, executions, writes).apply_report())
    not_brought = writes.write(tx)
    for outcome in outcomes:
        ended = (result.execution_id for _, result in outcome.results)
        outcome.not_brought = not_brought.intersection(ended)
    now = max((item.at for item in received), default=0)
    tasks = {task_id: update_task_status(tx, task_id, now) for task_id in writes.tasks}
    return AppliedReports(outcomes, tasks)


def _refusal(admission: Admission | None) -> RefusedError | None:
    """Why nothing is stored of a host's report; None: it is stored.

    Args:
        admission: of the host; None: it has a newer session elsewhere.
    """
    if admission is None:
        return RefusedError(Refusal.REPLACED, "A newer session took its place.")
    if admission in (Admission.REJECTED, Admission.REVOKED):
        return RefusedError(Refusal(admission.value), f"This host was {admission}.")
    return None


class _ReportApplier:
    """Compares one report with what is stored, and adds to what is written."""

    def __init__(
        self,
        received: ReceivedReport,
        executions: Mapping[str, StoredExecution],
        writes: ReportWrites,
    ) -> None:
        self._host = received.host
        self._report = received.report
        self._now = received.at
        self._kept_since = received.kept_since
        self._executions = executions
        self._writes = writes
        self._reported: dict[str, StoredExecution] = {}
        self._pruned: dict[str, dict[Stream, int]] = {}  # ends of their output
        self._outcome = ReportOutcome()

    def apply_report(self) -> ReportOutcome:
        """Compares all that the report says, and returns what becomes of it."""
        ended = {result.execution_id for result in self._report.results}
        for started in self._report.started:
            if started.execution_id not in ended:  # a result implies the start
                self._handle_started(started)
        for piece in self._report.output:
            self._handle_output(piece)
        for result in self._report.results:
            self.handle_command_result(result)
        self._acknowledge(ended)
        return self._outcome

    def _find(self, execution_id: str) -> StoredExecution | None:
        execution = self._executions.get(execution_id)
        if execution is not None and execution.host == self._host:
            self._reported[execution_id] = execution
            return execution
        if execution is not None:
            self._outcome.foreign.add(execution_id)
        elif made_before(execution_id, self._kept_since):
            self._pruned.setdefault(execution_id, {})
        else:
            self._outcome.unknown.add(execution_id)
        return None

    def _handle_started(self, started: Started) -> None:
        execution = self._find(started.execution_id)
        if execution is None or not move(Operation.START, execution.status, execution.reason):
            return
        if execution.task_canceled and (execution.status, execution.reason) == LOST:
            return  # a canceled task does not open again; the result will replace the guess
        self._writes.start(execution, self._now - from_timedelta(started.age))
        self._outcome.started.append((execution.task_id, execution.execution_id))

    def _handle_output(self, piece: Output) -> None:
        execution = self._find(piece.execution_id)
        if execution is None:
            if piece.execution_id in self._pruned:
                self._pruned[piece.execution_id][piece.stream] = piece.end
            return
        stored = execution.stored[piece.stream]
        if piece.offset > stored and piece.execution_id not in self._outcome.over_limit:
            self._outcome.holes.add(piece.execution_id)
            return
        if piece.end <= stored:
            return
        if piece.gap:
            piece = replace(piece, offset=stored, gap=piece.end - stored)
        elif piece.offset < stored:
            piece = replace(piece, offset=stored, data=piece.data[stored - piece.offset :])
        allowed, over_limit = _limit_output(execution, piece)
        if over_limit:
            self._writes.count_over_limit(execution, over_limit)
            self._outcome.over_limit.add(execution.execution_id)
        if allowed:
            self._writes.add_output(execution, allowed, self._now)
            self._outcome.output.add(execution.task_id)
            self._outcome.output_bytes += len(allowed.data)

    def handle_command_result(self, result: Result) -> None:
        """HandleCommandResult: what the manager does when an agent reports the end of a command.

        One transaction stores all of it: the command host (status, reason, exit code or signal,
        times, sizes), the counters of its command and its task, and the status of the task. If a
        second, different result comes for an execution that has ended, nothing changes, and it is
        recorded as a conflict.
        """
        execution = self._find(result.execution_id)
        if execution is None:
            return
        if _journal_is_lost(execution, result):
            self._writes.lose_state(execution, self._now)
            return
        if _never_arrived(execution, result):
            result = replace(
                result,
                status=CommandHostStatus.FAILED,
                reason=Reason.UNDELIVERABLE,
                detail=_NEVER_ARRIVED,
            )
        result, over_limit = _limit_totals(execution, result)
        if over_limit:
            self._outcome.over_limit.add(result.execution_id)
        operation = OPERATION_OF_RESULT[result.status]
        if not move(operation, execution.status, execution.reason):
            if _differs(execution, result):
                self._outcome.conflicts.append((execution.task_id, result))
            return
        self._outcome.late += execution.status.ended
        self._writes.end(execution, result, self._now)
        self._outcome.results.append((execution.task_id, result))
        self._outcome.has_room = True

    def _acknowledge(self, ended: set[str]) -> None:
        acknowledged = self._outcome.acknowledged
        for execution_id, execution in self._reported.items():
            ended_without_totals = (
                execution.totals is None and execution_id in ended and execution.status.ended
            )
            result = execution.complete or ended_without_totals
            acknowledged.append(Acknowledged(execution_id, dict(execution.stored), result))
        for execution_id, ends in self._pruned.items():  # the agent need not keep it either
            acknowledged.append(Acknowledged(execution_id, ends, execution_id in ended))


def _differs(execution: StoredExecution, result: Result) -> bool:
    stored = (execution.status, execution.exit_code, execution.signal)
    return stored != (result.status, result.exit_code, result.signal)


def _journal_is_lost(execution: StoredExecution, result: Result) -> bool:
    """Whether a journal that was asked for a command that ran has never heard of it."""
    running = execution.status is CommandHostStatus.RUNNING
    return _never_began(result) and running and not execution.canceled


def _never_arrived(execution: StoredExecution, result: Result) -> bool:
    """Whether a journal that was asked for a command that had failed by a guess has never heard of
    it. A cancel of the operator did not end it, then: that is another result."""
    return _never_began(result) and execution.not_held and execution.status.ended


def _never_began(result: Result) -> bool:
    return result.status is CommandHostStatus.CANCELED and result.duration is None


def _limit_output(execution: StoredExecution, piece: Output) -> tuple[Output | None, int]:
    """The part of a piece that the output limit allows, and the number of the other bytes. The
    piece begins where its stream ends."""
    size = piece.end - piece.offset
    if execution.output_limit is None:
        return piece, 0
    room = max(0, execution.output_limit - sum(execution.stored.values()))
    if size <= room:
        return piece, 0
    if not room:
        return None, size
    gap = room if piece.gap else 0
    return replace(piece, data=piece.data[:room], gap=gap), size - room


def _limit_totals(execution: StoredExecution, result: Result) -> tuple[Result, bool]:
    """The result with totals that the output limit allows, and whether its own were over it.

    An agent would send for ever towards totals that cannot be reached, so they become what is
    stored already.
    """
    limit, totals = execution.output_limit, result.totals
    if limit is None or sum(total.stored for total in totals.values()) <= limit:
        return result, False
    kept = {stream: min(total.stored, execution.stored[stream]) for stream, total in totals.items()}
    limited = {
        stream: StreamTotal(kept[stream], total.dropped + total.stored - kept[stream])
        for stream, total in totals.items()
    }
    return replace(result, totals=limited), True
