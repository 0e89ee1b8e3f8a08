"""What the end of one command host means for the rest of its task. All inside a transaction."""

from collections.abc import Iterable
from dataclasses import dataclass

from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task import ended_task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import command_hosts, tasks
from tui_manager.storage.tables.command_hosts import CommandOnHost
from tui_manager.storage.views.command_delivery import UnsentCommand


@dataclass(frozen=True, slots=True)
class EndedCommand:
    """A command that ended on a host."""

    command: CommandOnHost
    status: CommandHostStatus


def advance(
    tx: Transaction, task_id: int, host: int, position: int, status: CommandHostStatus, now: int
) -> None:
    """The command at `position` has ended on a host: makes the next one ready, or skips the
    rest."""
    advance_all(tx, [EndedCommand(CommandOnHost(task_id, host, position, now), status)])


def advance_all(tx: Transaction, ended: Iterable[EndedCommand]) -> None:
    """The same for many commands; no two of them are of one task on one host."""
    to_make_ready, unsuccessful = [], []
    for item in ended:
        command = item.command
        if item.status is CommandHostStatus.COMPLETED:
            task_id, host, position, now = command
            to_make_ready.append(CommandOnHost(task_id, host, position + 1, now))
        else:
            unsuccessful.append(command)
    if to_make_ready:
        command_hosts.make_ready(tx, to_make_ready)
    if unsuccessful:
        command_hosts.skip(tx, unsuccessful, Reason.EARLIER_FAILED)


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
    ended = command_hosts.lose_agent(tx, host, now, for_good=for_good)
    for command in unsent:
        if command_hosts.give_up_sending(tx, command.row_id, why, now):
            ended.append((command.task_id, command.position))
    for task_id, position in ended:
        advance(tx, task_id, host, position, CommandHostStatus.FAILED, now)
    return {task_id for task_id, _ in ended}


def update_task_status(tx: Transaction, task_id: int, now: int) -> TaskStatus | None:
    """Brings the status of a task in line with its counters.

    Returns:
        The new status; None if it stays as it was.
    """
    task = tasks.get(tx, task_id)
    canceled = task.cancel_requested_at is not None
    if task.status is TaskStatus.RUNNING:
        ended = ended_task_status(task.counts, canceled=canceled)
        return ended if ended and tasks.end(tx, task_id, ended, now) else None
    if task.status in (TaskStatus.COMPLETED, TaskStatus.FAILED):
        derived = ended_task_status(task.counts, canceled=False)
        if derived is None:
            return TaskStatus.RUNNING if tasks.reopen(tx, task_id) else None
        return derived if tasks.correct(tx, task_id, derived) else None
    return None  # a canceled task stays canceled, and a pending task has no command hosts
