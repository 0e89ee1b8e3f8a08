"""What becomes of executions when an agent comes back, inside the transaction of its session."""

from collections.abc import Set
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.agent_messages import Held, HeldState, Resume, ResumeAction
from tui_manager.domain.ids import made_before
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.service.core import advance_task
from tui_manager.service.core.advance_task import EndedCommand
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import command_hosts, rollouts
from tui_manager.storage.tables.tasks.command_hosts import CommandOnHost, Start
from tui_manager.storage.views.delivery import command_delivery
from tui_manager.storage.views.delivery.command_delivery import HeldExecution, SentCommand


@dataclass(slots=True)
class Reconciliation:
    """The answers for the executions that the agent holds, and what changed.

    Attributes:
        tasks: whose command hosts changed, with the new status of those that changed themselves.
        state_lost: executions that were sent to another journal and are not in this one.
        sent_again: executions that never reached the agent's journal.
        missing: executions that the agent does not hold, and must say how they ended, or that they
            never began. Those that ran: the database was restored from a backup, or the journal is
            broken. And those that were ended by a guess of the manager.
        forgotten: those of them that ran.
        unknown: executions that this database does not know; they are left alone.
        running: executions of these answers that run on the host.
    """

    resumes: list[Resume] = field(default_factory=list)
    tasks: dict[int, TaskStatus | None] = field(default_factory=dict)
    state_lost: list[str] = field(default_factory=list)
    sent_again: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)


def reconcile(
    tx: Transaction,
    host: int,
    journal_id: str,
    held: tuple[Held, ...],
    now: int,
    kept_since: int,
) -> Reconciliation:
    """Compares what the agent's journal holds with what is stored of this host.

    Args:
        host: the host's row id.
        journal_id: of the journal that the agent has now.
        held: the executions that its Hello names.
        now: microseconds since 1970 UTC.
        kept_since: executions that were made before may have been pruned.
    """
    outcome = Reconciliation()
    for execution in held:
        answer = _answer(tx, host, journal_id, execution, outcome, now)
        if answer is None:
            answer = _answer_unknown(execution, outcome, kept_since)
        outcome.resumes.append(answer)
    names = {execution.execution_id for execution in held}
    for sent in command_delivery.sent_unended(tx, host):
        if sent.execution_id not in names:
            _handle_missing(tx, host, journal_id, sent, outcome, now)
    _add_guessed(tx, host, journal_id, names, outcome)
    for task_id in outcome.tasks:
        outcome.tasks[task_id] = advance_task.update_task_status(tx, task_id, now)
    return outcome


def _answer(
    tx: Transaction, host: int, journal_id: str, execution: Held, outcome: Reconciliation, now: int
) -> Resume | None:
    known = command_delivery.held(tx, host, execution.execution_id)
    if known is None:
        return None
    if known.complete and not _guessed(known):
        return Resume(execution.execution_id, ResumeAction.STORED)
    if known.unsent:  # a restored database
        command_delivery.mark_held(tx, known.row_id, journal_id, now)
    if execution.state is HeldState.RUNNING:
        outcome.running.add(execution.execution_id)
        if command_hosts.start(tx, [Start(known.row_id, now)]):
            outcome.tasks[known.task_id] = None
    cancel = known.canceled and not execution.has_result
    action = ResumeAction.CANCEL if cancel else ResumeAction.GO_ON
    return Resume(execution.execution_id, action, known.stored)


def _answer_unknown(execution: Held, outcome: Reconciliation, kept_since: int) -> Resume:
    """An execution that may have been pruned: the agent need not keep its result."""
    execution_id = execution.execution_id
    if execution.has_result and made_before(execution_id, kept_since):
        return Resume(execution_id, ResumeAction.STORED)
    outcome.unknown.append(execution_id)
    return Resume(execution_id, ResumeAction.UNKNOWN)


def _guessed(known: HeldExecution) -> bool:
    return known.reason in (Reason.AGENT_LOST, Reason.CANCEL_UNCONFIRMED)


def _handle_missing(
    tx: Transaction,
    host: int,
    journal_id: str,
    sent: SentCommand,
    outcome: Reconciliation,
    now: int,
) -> None:
    """The agent does not hold what was sent: it never arrived, or the agent has lost its state."""
    outcome.tasks[sent.task_id] = None
    if sent.journal_id == journal_id and sent.status is CommandHostStatus.PENDING:
        command_delivery.mark_unsent(tx, sent.row_id)
        if sent.canceled:  # it never started, and never will
            command_hosts.cancel_unsent(tx, sent.task_id, now, [host])
        elif sent.position == 0 and (reason := rollouts.skip_reason(tx, sent.task_id)):
            command_hosts.skip(tx, [CommandOnHost(sent.task_id, host, -1, now)], reason)
        else:
            outcome.sent_again.append(sent.execution_id)
        return
    if sent.journal_id == journal_id:
        outcome.missing.append(sent.execution_id)
        outcome.forgotten.append(sent.execution_id)
        return
    if command_hosts.fail_state_lost(tx, sent.row_id, now):
        outcome.state_lost.append(sent.execution_id)
        lost = CommandOnHost(sent.task_id, host, sent.position, now)
        failed, reason = CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST
        advance_task.advance(tx, EndedCommand(lost, failed, reason))


def _add_guessed(
    tx: Transaction, host: int, journal_id: str, names: Set[str], outcome: Reconciliation
) -> None:
    """Executions that were ended by a guess and are not in the journal to which they were sent.
    They have not begun, unless the journal has forgotten them. The agent says which, and never
    begins them after that."""
    guessed = command_delivery.guessed(tx, host, journal_id)
    not_held = [execution_id for execution_id in guessed if execution_id not in names]
    if not_held:
        command_delivery.mark_not_held(tx, (guessed[execution_id] for execution_id in not_held))
        outcome.missing += not_held
