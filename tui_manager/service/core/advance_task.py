"""Advances a task after a command has ended on a host: makes the next command ready or skips it,
and updates the status of the task. All inside a transaction."""

from collections.abc import Iterable, Mapping

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.tasks.next_steps import NextSteps, next_steps_of
from tui_manager.domain.tasks.task import ended_task_status
from tui_manager.storage.engine.transaction import Transaction, leads
from tui_manager.storage.tables.manager import notifications
from tui_manager.storage.tables.tasks import command_hosts, task_transitions, tasks
from tui_manager.storage.tables.tasks.command_hosts import CommandOnHost, StepOrder
from tui_manager.storage.views.delivery import outdated_task_status, rollout_hosts
from tui_manager.storage.views.delivery.command_delivery import UnsentCommand


@dataclass(frozen=True, slots=True)
class EndedCommand:
    """A command that ended on a host, and how."""

    command: CommandOnHost
    status: CommandHostStatus
    reason: Reason


def advance(tx: Transaction, ended: EndedCommand) -> None:
    """A command has ended on a host: makes the next one ready, and skips those that will not
    run."""
    advance_all(tx, [ended])


def advance_all(tx: Transaction, ended: Iterable[EndedCommand]) -> None:
    """The same for many commands; no two of them are of one task on one host."""
    ended = list(ended)
    orders = command_hosts.step_orders(tx, {item.command.task_id for item in ended})
    following: dict[NextSteps, list[CommandOnHost]] = {steps: [] for steps in NextSteps}
    for item in ended:
        order = orders.get(item.command.task_id)
        if order is not None:  # else it was the only one on its host
            on_failure = order.on_failure[item.command.position]
            next_steps = next_steps_of(
                item.status, item.reason, on_failure, canceled=order.canceled
            )
            following[next_steps].append(item.command)
    if following[NextSteps.NOTHING]:
        command_hosts.skip(tx, following[NextSteps.NOTHING], Reason.EARLIER_FAILED)
    if following[NextSteps.ALWAYS]:
        command_hosts.skip(
            tx, following[NextSteps.ALWAYS], Reason.EARLIER_FAILED, spare_always=True
        )
    if going_on := following[NextSteps.NEXT] + following[NextSteps.ALWAYS]:
        _make_ready(tx, going_on, orders)


def _make_ready(
    tx: Transaction, ended: list[CommandOnHost], orders: Mapping[int, StepOrder]
) -> None:
    """Makes the commands behind these ready, unless their hosts have to wait at a barrier."""
    if with_barrier := [item for item in ended if orders[item.task_id].has_barrier]:
        stopped = rollout_hosts.stop_at_barrier(tx, with_barrier)
        ended = [item for item in ended if (item.task_id, item.host) not in stopped]
    if ended:
        command_hosts.make_ready(tx, ended)


def fail_unsent(tx: Transaction, commands: Iterable[UnsentCommand], why: str, now: int) -> set[int]:
    """Ends commands that cannot be sent, with the detail `why`; no two of them are of one task on
    one host. The caller has to update the status of the tasks, which are returned."""
    failed = [
        EndedCommand(
            CommandOnHost(command.task_id, command.host, command.position, now),
            CommandHostStatus.FAILED,
            Reason.UNDELIVERABLE,
        )
        for command in commands
        if command_hosts.give_up_sending(tx, command.row_id, why, now)
    ]
    advance_all(tx, failed)
    return {item.command.task_id for item in failed}


def fail_host(
    tx: Transaction, host: int, unsent: list[UnsentCommand], why: str, now: int, *, for_good: bool
) -> set[int]:
    """Ends the commands that were sent to a host and have not ended, and its unsent commands. The
    caller has to update the status of the tasks.

    Args:
        host: the host's row id.
        why: the detail of the unsent commands.
        for_good: the host never comes back. Otherwise a command that was sent and has not begun may
            still begin until its delivery timeout.

    Returns:
        The tasks whose command hosts have changed.
    """
    lost = [
        EndedCommand(CommandOnHost(row.task_id, host, row.position, now), row.status, row.reason)
        for row in command_hosts.end_agent_lost(tx, host, now, for_good=for_good)
    ]
    advance_all(tx, lost)
    return {item.command.task_id for item in lost} | fail_unsent(tx, unsent, why, now)


def update_task_status(tx: Transaction, task_id: int, now: int) -> TaskStatus | None:
    """Brings the status of a task in line with its counters. Of several managers only the leader
    ends a task: another one does not see what the others have not committed yet. A late result, for
    which no other one is waited, may change a task that has ended at any manager.

    Returns:
        The new status; None if it stays as it was.
    """
    task = tasks.get(tx, task_id)
    if task.status in (TaskStatus.COMPLETED, TaskStatus.FAILED):
        tasks.lock(tx, task_id)
        outdated_task_status.update_fault_marks(tx, [task_id])
        task = tasks.get(tx, task_id)  # with what another manager has stored before
    canceled = task.cancel_requested_at is not None
    if task.status is TaskStatus.RUNNING:
        if not leads(tx):
            return None
        ended = ended_task_status(task.counts, canceled=canceled)
        if ended is None or not task_transitions.end(tx, task_id, ended, now):
            return None
        notifications.add_end_of_task(tx, task_id, ended, now)
        return ended
    if task.status in (TaskStatus.COMPLETED, TaskStatus.FAILED):
        derived = ended_task_status(task.counts, canceled=False)
        if derived is None:
            return TaskStatus.RUNNING if task_transitions.reopen(tx, task_id) else None
        if not task_transitions.correct(tx, task_id, derived):
            return None
        notifications.add_end_of_task(tx, task_id, derived, now, corrected=True)
        return derived
    return None  # a canceled task stays canceled, and a pending task has no command hosts
