"""What a move of one command host means for the rest of its task; all inside a transaction."""

from collections.abc import Iterable
from dataclasses import dataclass

from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task import ended_task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import command_hosts, tasks
from tui_manager.storage.tables.command_hosts import Place
from tui_manager.storage.views.sending import Waiting


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended on a host.

    Attributes:
        place: where it stands in its task.
    """

    place: Place
    status: CommandHostStatus


def go_on(
    tx: Transaction, task_id: int, host: int, position: int, status: CommandHostStatus, now: int
) -> None:
    """After the command at `position` ended on a host: lets the next one go, or skips the rest."""
    go_on_behind(tx, [Ended(Place(task_id, host, position, now), status)])


def go_on_behind(tx: Transaction, ended: Iterable[Ended]) -> None:
    """The same for many; no two of them are of one task on one host."""
    next_ones, broken_off = [], []
    for item in ended:
        place = item.place
        if item.status is CommandHostStatus.COMPLETED:
            next_ones.append(Place(place.task_id, place.host, place.position + 1, place.now))
        else:
            broken_off.append(place)
    if next_ones:
        command_hosts.make_ready(tx, next_ones)
    if broken_off:
        command_hosts.skip(tx, broken_off, Reason.EARLIER_FAILED)


def give_up(
    tx: Transaction, host: int, waiting: list[Waiting], why: str, now: int, *, for_good: bool
) -> set[int]:
    """Ends what a host was sent and has not answered for, and `waiting`, which it was not sent.
    Its tasks go on without it, and are still to be settled.

    Args:
        host: the host's row id.
        why: the detail of what it was not sent.
        for_good: the host never comes back. Otherwise what was sent and has not begun may still be
            delivered until its delivery timeout.

    Returns:
        The task of each command host that moved.
    """
    moved = command_hosts.lose(tx, host, now, for_good=for_good)
    for item in waiting:
        if command_hosts.give_up_sending(tx, item.row_id, why, now):
            moved.append((item.task_id, item.position))
    for task_id, position in moved:
        go_on(tx, task_id, host, position, CommandHostStatus.FAILED, now)
    return {task_id for task_id, _ in moved}


def settle(tx: Transaction, task_id: int, now: int) -> TaskStatus | None:
    """Brings the status of a task in line with its counters.

    Returns:
        The new status; None when it stays as it was.
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
    return None  # a canceled task stays canceled; a pending one has no command hosts
