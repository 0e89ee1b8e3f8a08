"""What becomes of executions when an agent returns, inside the transaction of its session."""

from collections.abc import Set
from dataclasses import dataclass, field

from tui_manager.domain.execution_id import made_before
from tui_manager.domain.report import Held, HeldState, Resume, ResumeAction
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.service.tasks import task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import command_hosts
from tui_manager.storage.tables.command_hosts import Start
from tui_manager.storage.views import sending
from tui_manager.storage.views.sending import Remembered, Sent


@dataclass(slots=True)
class Reconciled:
    """The answers for what the agent holds, and what changed.

    Attributes:
        tasks: whose command hosts moved, with the new status of those that moved themselves.
        state_lost: executions that the agent should know of and does not.
        sent_again: executions that the agent's journal never saw.
        asked: executions that the agent does not hold and of which its journal says how they ended,
            or that they never began: those that ran (the database has been put back from a backup,
            or the journal is broken), and those that were given up by a guess.
        let_go: those of them that ran.
        unknown: executions that this database does not know; they are left alone.
        runs: executions of these answers that run on the host.
    """

    resumes: list[Resume] = field(default_factory=list)
    tasks: dict[int, TaskStatus | None] = field(default_factory=dict)
    state_lost: list[str] = field(default_factory=list)
    sent_again: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    let_go: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)


def reconcile(
    tx: Transaction,
    host: int,
    journal_id: str,
    held: tuple[Held, ...],
    now: int,
    kept_since: int,
) -> Reconciled:
    """Holds what the agent's journal holds against what is stored of this host.

    Args:
        host: the host's row id.
        journal_id: of the journal that the agent has now.
        held: what its Hello names.
        now: microseconds since 1970 UTC.
        kept_since: what was made before that may have been pruned.
    """
    outcome = Reconciled()
    for execution in held:
        answer = _answer(tx, host, journal_id, execution, outcome, now)
        if answer is None:
            answer = _not_known(execution, outcome, kept_since)
        outcome.resumes.append(answer)
    names = {execution.execution_id for execution in held}
    for sent in sending.sent_unended(tx, host):
        if sent.execution_id not in names:
            _missing(tx, host, journal_id, sent, outcome, now)
    _ask_of_guesses(tx, host, journal_id, names, outcome)
    for task_id in outcome.tasks:
        outcome.tasks[task_id] = task_status.settle(tx, task_id, now)
    return outcome


def _answer(
    tx: Transaction, host: int, journal_id: str, execution: Held, outcome: Reconciled, now: int
) -> Resume | None:
    known = sending.held(tx, host, execution.execution_id)
    if known is None:
        return None
    if known.whole and not _guessed(known):
        return Resume(execution.execution_id, ResumeAction.STORED)
    if known.unsent:  # a restored database
        sending.mark_sent(tx, known.row_id, journal_id, now, output_limit=None)
    if execution.state is HeldState.RUNNING:
        outcome.runs.add(execution.execution_id)
        if command_hosts.start(tx, [Start(known.row_id, now)]):
            outcome.tasks[known.task_id] = None
    cancel = known.canceled and not execution.has_result
    action = ResumeAction.CANCEL if cancel else ResumeAction.GO_ON
    return Resume(execution.execution_id, action, known.stored)


def _not_known(execution: Held, outcome: Reconciled, kept_since: int) -> Resume:
    """A result of an execution that is too old to be known is not kept for anybody."""
    execution_id = execution.execution_id
    if execution.has_result and made_before(execution_id, kept_since):
        return Resume(execution_id, ResumeAction.STORED)
    outcome.unknown.append(execution_id)
    return Resume(execution_id, ResumeAction.UNKNOWN)


def _guessed(known: Remembered) -> bool:
    return known.reason in (Reason.AGENT_LOST, Reason.CANCEL_UNCONFIRMED)


def _missing(
    tx: Transaction, host: int, journal_id: str, sent: Sent, outcome: Reconciled, now: int
) -> None:
    """The agent does not hold what was sent: it never arrived, or the agent's state is lost."""
    outcome.tasks[sent.task_id] = None
    if sent.journal_id == journal_id and sent.status is CommandHostStatus.PENDING:
        sending.mark_unsent(tx, sent.row_id)
        if sent.canceled:  # proof that it never started, and it never will
            command_hosts.cancel_unsent(tx, sent.task_id, now)
        else:
            outcome.sent_again.append(sent.execution_id)
        return
    if sent.journal_id == journal_id:
        outcome.asked.append(sent.execution_id)
        outcome.let_go.append(sent.execution_id)
        return
    if command_hosts.lose_state(tx, sent.row_id, now):
        outcome.state_lost.append(sent.execution_id)
        task_status.go_on(tx, sent.task_id, host, sent.position, CommandHostStatus.FAILED, now)


def _ask_of_guesses(
    tx: Transaction, host: int, journal_id: str, names: Set[str], outcome: Reconciled
) -> None:
    """What was given up, and is not held by the journal that it was sent to, has not begun, unless
    the journal has let go of it. The journal says which, and never begins it after that."""
    guessed = sending.guessed(tx, host, journal_id)
    missing = [execution_id for execution_id in guessed if execution_id not in names]
    if missing:
        sending.mark_not_held(tx, (guessed[execution_id] for execution_id in missing))
        outcome.asked += missing
