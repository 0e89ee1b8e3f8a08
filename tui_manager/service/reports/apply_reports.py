"""What reports of agents change, inside one transaction. A report never raises: what repeats, or is
older than what is known, changes nothing and is acknowledged.

What is stored of all that a transaction's reports speak of is read at once, the moves are decided
here by the table of transitions, and `report_changes` writes them at once; its statements have the
same guards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.execution_id import made_before
from tui_manager.domain.report import Acknowledged, ExecutionReport, Output, Result, Started
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.transitions import LOST, OPERATION_OF_RESULT, Operation, move
from tui_manager.service.reports import output_limit
from tui_manager.service.reports.report_changes import ReportChanges
from tui_manager.service.tasks import task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.instants import from_timedelta
from tui_manager.storage.tables import command_hosts, hosts
from tui_manager.storage.tables.command_hosts import Known

_NEVER_ARRIVED = "It never reached its host, whose agent came back without it."


@dataclass(frozen=True, slots=True)
class Received:
    """What a host reports of its executions.

    Attributes:
        host: the row id of the host that speaks; it can only speak of its own executions.
        at: when the report was received, microseconds since 1970 UTC.
        kept_since: executions that were made before that may have been pruned.
    """

    host: int
    report: ExecutionReport
    at: int
    kept_since: int = 0


@dataclass(slots=True)
class Outcome:
    """What a report changed.

    Attributes:
        refused: the host was turned away meanwhile; nothing it says counts any more.
        output: tasks for which output was stored.
        room: commands of the host have ended: there is room for what waits.
        results: accepted, with the task each belongs to.
        late: how many of these replaced a guess.
        conflicts: second, different results; the first stays.
        unknown: executions that the database does not know.
        foreign: executions of another host, of which this one must not speak.
        holes: executions whose output began behind what is stored.
        excess: executions with more output than their limit, which was counted and not stored.
    """

    refused: RefusedError | None = None
    acknowledged: list[Acknowledged] = field(default_factory=list)
    output: set[int] = field(default_factory=set)
    output_bytes: int = 0
    room: bool = False
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


@dataclass(slots=True)
class Applied:
    """What the reports of one transaction changed.

    Attributes:
        outcomes: of each report, in order.
        tasks: whose command hosts moved, with the new status of those that moved themselves.
    """

    outcomes: list[Outcome]
    tasks: dict[int, TaskStatus | None]


def apply(tx: Transaction, received: Sequence[Received]) -> Applied:
    """Stores what hosts report, one report a host."""
    turned_away = hosts.turned_away(tx, {item.host for item in received})
    spoken_of = dict.fromkeys(
        execution_id for item in received for execution_id in item.report.execution_ids
    )
    known, changes = command_hosts.known(tx, spoken_of), ReportChanges()
    outcomes = []
    for item in received:
        if admission := turned_away.get(item.host):
            refused = RefusedError(Refusal(admission.value), f"This host was {admission}.")
            outcomes.append(Outcome(refused=refused))
        else:
            outcomes.append(_Work(item, known, changes).run())
    changes.write(tx)
    now = max((item.at for item in received), default=0)
    tasks = {task_id: task_status.settle(tx, task_id, now) for task_id in changes.tasks}
    return Applied(outcomes, tasks)


class _Work:
    """Decides what one report changes, and brings what is known up to that."""

    def __init__(
        self, received: Received, known: Mapping[str, Known], changes: ReportChanges
    ) -> None:
        self._host = received.host
        self._report = received.report
        self._now = received.at
        self._kept_since = received.kept_since
        self._known = known
        self._changes = changes
        self._spoken_of: dict[str, Known] = {}
        self._too_old: dict[str, None] = {}
        self._outcome = Outcome()

    def run(self) -> Outcome:
        ended = {result.execution_id for result in self._report.results}
        for started in self._report.started:
            if started.execution_id not in ended:  # a result implies the start
                self._start(started)
        for piece in self._report.output:
            self._store(piece)
        for result in self._report.results:
            self._end(result)
        self._acknowledge(ended)
        return self._outcome

    def _find(self, execution_id: str) -> Known | None:
        known = self._known.get(execution_id)
        if known is not None and known.host == self._host:
            self._spoken_of[execution_id] = known
            return known
        if known is None and made_before(execution_id, self._kept_since):
            self._too_old[execution_id] = None
            return None
        (self._outcome.unknown if known is None else self._outcome.foreign).add(execution_id)
        return None

    def _start(self, started: Started) -> None:
        known = self._find(started.execution_id)
        if known is None or not move(Operation.START, known.status, known.reason):
            return
        if known.task_canceled and (known.status, known.reason) == LOST:
            return  # nothing of it opens again; its result replaces the guess
        self._changes.start(known, self._now - from_timedelta(started.age))
        known.status, known.reason = CommandHostStatus.RUNNING, Reason.NONE
        self._outcome.started.append((known.task_id, known.execution_id))

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
            self._changes.past_limit(known, past)
            self._outcome.excess.add(known.execution_id)
        if allowed:
            self._insert(known, allowed)

    def _insert(self, known: Known, piece: Output) -> None:
        self._changes.insert(known, piece)
        known.stored[piece.stream] = piece.end
        self._outcome.output.add(known.task_id)
        self._outcome.output_bytes += len(piece.data)

    def _end(self, result: Result) -> None:
        known = self._find(result.execution_id)
        if known is None:
            return
        if _journal_is_lost(known, result):
            self._lose_state(known)
            return
        if _never_arrived(known, result):
            result = replace(
                result,
                status=CommandHostStatus.FAILED,
                reason=Reason.UNDELIVERABLE,
                detail=_NEVER_ARRIVED,
            )
        result, beyond = output_limit.believable(known, result)
        if beyond:
            self._outcome.excess.add(result.execution_id)
        if not move(OPERATION_OF_RESULT[result.status], known.status, known.reason):
            if (known.status, known.exit_code, known.signal) != (
                result.status,
                result.exit_code,
                result.signal,
            ):
                self._outcome.conflicts.append((known.task_id, result))
            return
        before = known.status
        self._changes.end(known, result, self._now, late=before.ended)
        _become(known, result)
        self._outcome.results.append((known.task_id, result))
        self._outcome.late += before.ended  # it corrects, and dispatches nothing
        self._outcome.room = True

    def _lose_state(self, known: Known) -> None:
        self._changes.lose_state(known, self._now)
        known.status, known.reason = CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST

    def _acknowledge(self, ended: set[str]) -> None:
        for execution_id, known in self._spoken_of.items():
            settled = known.totals is None and execution_id in ended and known.status.ended
            self._outcome.acknowledged.append(
                Acknowledged(execution_id, dict(known.stored), known.whole or settled)
            )
        for execution_id in self._too_old:  # nobody keeps it any more, the agent neither
            ends = {
                piece.stream: piece.end
                for piece in self._report.output
                if piece.execution_id == execution_id
            }
            result = execution_id in ended
            self._outcome.acknowledged.append(Acknowledged(execution_id, ends, result))


def _become(known: Known, result: Result) -> None:
    """What is known once the result is stored."""
    known.status, known.reason = result.status, result.reason
    known.exit_code, known.signal = result.exit_code, result.signal
    totals = result.totals
    known.totals = {
        stream: totals[stream].stored if stream in totals else 0 for stream in known.stored
    }


def _journal_is_lost(known: Known, result: Result) -> bool:
    """Whether a journal that was asked for a command that ran has never heard of it."""
    running = known.status is CommandHostStatus.RUNNING
    return _never_began(result) and running and not known.canceled


def _never_arrived(known: Known, result: Result) -> bool:
    """Whether a journal was asked for a command that had been given up, and has never heard of it.
    The operator's cancel did not end it then, which would be another result."""
    return _never_began(result) and known.not_held and known.status.ended


def _never_began(result: Result) -> bool:
    return result.status is CommandHostStatus.CANCELED and result.duration is None
