"""What a report of an agent changes, inside one transaction. A report never raises: what repeats,
or is older than what is known, changes nothing and is acknowledged."""

from dataclasses import dataclass, field, replace

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.report import Acknowledged, ExecutionReport, Output, Result, Started
from tui_manager.domain.status import Admission, CommandHostStatus, TaskStatus
from tui_manager.service import moves, output_limit
from tui_manager.storage import command_hosts, hosts, output, sending
from tui_manager.storage.command_hosts import Known
from tui_manager.storage.connection import Transaction
from tui_manager.storage.instants import from_timedelta

_COUNTABLE = 1 << 60  # bytes: far below what an INTEGER of the database holds


@dataclass(slots=True)
class Outcome:
    """What a report changed.

    Attributes:
        tasks: whose command hosts moved, with the new status of those that moved themselves.
        output: tasks for which output was stored.
        more_to_send: a command waits for this host, which may have room for it now.
        running: by how much the number of commands that run on the host has changed.
        results: accepted, with the task each belongs to.
        late: how many of these replaced a guess.
        conflicts: second, different results; the first stays.
        unknown: executions that the database does not know.
        foreign: executions of another host, of which this one must not speak.
        holes: executions whose output began behind what is stored.
        excess: executions with more output than their limit, which was counted and not stored.
    """

    acknowledged: list[Acknowledged] = field(default_factory=list)
    tasks: dict[int, TaskStatus | None] = field(default_factory=dict)
    output: set[int] = field(default_factory=set)
    output_bytes: int = 0
    more_to_send: bool = False
    running: int = 0
    started: list[tuple[int, str]] = field(default_factory=list)
    results: list[tuple[int, Result]] = field(default_factory=list)
    late: int = 0
    conflicts: list[tuple[int, Result]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    holes: set[str] = field(default_factory=set)
    excess: set[str] = field(default_factory=set)

    def violations(self) -> list[str]:
        """What of the report breaks the rules of the wire, a sentence each; they end a session."""
        return [
            sentence.format(sorted(executions)[0])
            for executions, sentence in (
                (self.foreign, "It reported execution {}, which is another host's."),
                (self.excess, "More output of {} came than its limit allows."),
                (self.holes, "Output of {} begins behind what is stored."),
            )
            if executions
        ]


def apply(tx: Transaction, host: int, report: ExecutionReport, now: int) -> Outcome:
    """Stores what a host reports of its executions.

    Args:
        host: the row id of the host that speaks; it can only speak of its own executions.
        now: when the report was received, microseconds since 1970 UTC.

    Raises:
        RefusedError: the host was turned away meanwhile; nothing it says counts any more.
    """
    admission = hosts.admission(tx, host)
    if admission in (Admission.REJECTED, Admission.REVOKED):
        raise RefusedError(Refusal(admission.value), f"This host was {admission}.")
    return _Work(tx, host, now).run(report)


class _Work:
    def __init__(self, tx: Transaction, host: int, now: int) -> None:
        self._tx = tx
        self._host = host
        self._now = now
        self._known: dict[str, Known | None] = {}
        self._grown: dict[str, Known] = {}
        self._past_limit: dict[str, int] = {}
        self._outcome = Outcome()

    def run(self, report: ExecutionReport) -> Outcome:
        ended = {result.execution_id for result in report.results}
        for started in report.started:
            if started.execution_id not in ended:  # a result implies the start
                self._start(started)
        for piece in report.output:
            self._store(piece)
        for execution_id, known in self._grown.items():
            command_hosts.set_stored(self._tx, known, self._past_limit.get(execution_id, 0))
        for result in report.results:
            self._end(result)
        if self._outcome.results:  # each makes room on the host
            self._outcome.more_to_send = sending.waits(self._tx, self._host)
        for task_id in self._outcome.tasks:
            self._outcome.tasks[task_id] = moves.settle(self._tx, task_id, self._now)
        self._acknowledge(ended)
        return self._outcome

    def _find(self, execution_id: str) -> Known | None:
        if execution_id not in self._known:
            known = command_hosts.of_host(self._tx, self._host, execution_id)
            self._known[execution_id] = known
            if known is None:
                foreign = command_hosts.exists(self._tx, execution_id)
                (self._outcome.foreign if foreign else self._outcome.unknown).add(execution_id)
        return self._known[execution_id]

    def _start(self, started: Started) -> None:
        known = self._find(started.execution_id)
        if known is None:
            return
        at = self._now - from_timedelta(started.age)
        if command_hosts.start(self._tx, known.row_id, at):
            self._outcome.tasks[known.task_id] = None
            self._outcome.started.append((known.task_id, known.execution_id))
            self._outcome.running += 1

    def _store(self, piece: Output) -> None:
        known = self._find(piece.execution_id)
        if known is None:
            return
        stored = known.stored[piece.stream]
        if piece.offset > stored and piece.execution_id not in self._outcome.excess:
            self._outcome.holes.add(piece.execution_id)
            return
        if piece.end <= stored:
            return
        if piece.gap:
            piece = replace(piece, offset=stored, gap=piece.end - stored)
        elif piece.offset < stored:
            piece = replace(piece, offset=stored, data=piece.data[stored - piece.offset :])
        allowed, past = output_limit.cut(known, piece)
        if past:
            self._count_past_limit(known, past)
        if allowed:
            self._insert(known, allowed)

    def _count_past_limit(self, known: Known, size: int) -> None:
        execution_id = known.execution_id
        counted = self._past_limit.get(execution_id, 0) + size
        self._past_limit[execution_id] = min(counted, _COUNTABLE)
        self._outcome.excess.add(execution_id)
        self._grown[execution_id] = known

    def _insert(self, known: Known, piece: Output) -> None:
        output.insert(self._tx, known.task_id, known.row_id, piece)
        known.stored[piece.stream] = piece.end
        self._grown[piece.execution_id] = known
        self._outcome.output.add(known.task_id)
        self._outcome.output_bytes += len(piece.data)

    def _end(self, result: Result) -> None:
        known = self._find(result.execution_id)
        if known is None:
            return
        if _journal_is_lost(known, result):
            self._lose_state(known)
            return
        before = known.status
        result, beyond = output_limit.believable(known, result)
        if beyond:
            self._outcome.excess.add(result.execution_id)
        if not command_hosts.finish(self._tx, known.row_id, result, self._now):
            if (known.status, known.exit_code, known.signal) != (
                result.status,
                result.exit_code,
                result.signal,
            ):
                self._outcome.conflicts.append((known.task_id, result))
            return
        refreshed = command_hosts.of_host(self._tx, self._host, result.execution_id)
        assert refreshed is not None
        self._known[result.execution_id] = refreshed
        self._outcome.tasks[known.task_id] = None
        self._outcome.results.append((known.task_id, result))
        self._outcome.running -= before is CommandHostStatus.RUNNING
        if before.ended:  # late: it corrects, and dispatches nothing
            self._outcome.late += 1
            return
        moves.go_on(self._tx, known.task_id, self._host, known.position, result.status, self._now)

    def _lose_state(self, known: Known) -> None:
        command_hosts.lose_state(self._tx, known.row_id, self._now)
        known.status = CommandHostStatus.FAILED
        self._outcome.tasks[known.task_id] = None
        moves.go_on(self._tx, known.task_id, self._host, known.position, known.status, self._now)

    def _acknowledge(self, ended: set[str]) -> None:
        for execution_id, known in self._known.items():
            if known is None:
                continue
            settled = known.totals is None and execution_id in ended and known.status.ended
            self._outcome.acknowledged.append(
                Acknowledged(execution_id, dict(known.stored), known.whole or settled)
            )


def _journal_is_lost(known: Known, result: Result) -> bool:
    """Whether a journal that was asked for a command that ran has never heard of it."""
    never_ran = result.status is CommandHostStatus.CANCELED and result.duration is None
    return never_ran and known.status is CommandHostStatus.RUNNING and not known.canceled
