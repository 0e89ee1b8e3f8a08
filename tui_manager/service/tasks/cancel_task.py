"""The transactions that cancel a task, on all its hosts or on some."""

from collections.abc import Sequence

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.service.core.advance_task import update_task_status
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit, notifications
from tui_manager.storage.tables.tasks import command_hosts, task_transitions, tasks

_SHOWN = 80  # characters of a wrong id in an error
_NAMED_MAX = 5  # hosts that an error names


def cancel(tx: Transaction, task_id: int, actor: str, now: int) -> list[tuple[int, str]]:
    """Ends the commands of a task that were not sent.

    Args:
        actor: who asked, `user@terminal`.
        now: microseconds since 1970 UTC.

    Returns:
        What the agents must be told to end: the row id of a host, and an execution_id.

    Raises:
        NotFoundError, IllegalMoveError: there is no such task, or it has ended.
    """
    if task_transitions.cancel(tx, task_id, now) is TaskStatus.CANCELED:  # it had not started
        notifications.add_end_of_task(tx, task_id, TaskStatus.CANCELED, now)
    command_hosts.cancel_unsent(tx, task_id, now)
    sent = command_hosts.request_cancel(tx, task_id, now)
    update_task_status(tx, task_id, now)
    audit.record(tx, now, actor, "cancel_task", task_id=task_id, told=len(sent))
    return sent


def cancel_on_hosts(
    tx: Transaction, task_id: int, host_ids: Sequence[str], actor: str, now: int
) -> list[tuple[int, str]]:
    """The same on some hosts of a running task, which goes on with its other hosts. Its later steps
    do not run on these hosts either. A host on which it has ended stays as it is.

    Args and returns: as for `cancel`.

    Raises:
        NotFoundError, IllegalMoveError: there is no such task, or it does not run, or has ended on
            all of these hosts.
        InvalidInputError("host_ids"): the task has no such host.
    """
    tasks.lock(tx, task_id)
    task = tasks.get(tx, task_id)
    if task.status is not TaskStatus.RUNNING:
        raise IllegalMoveError(
            f"Task {task_id} cannot be canceled on some hosts: it is {task.status}."
        )
    found = command_hosts.hosts_of_task(tx, task_id, host_ids)
    if unknown := [host_id for host_id in host_ids if host_id not in found]:
        raise InvalidInputError(
            "host_ids", f"Task {task_id} has no host with the id {unknown[0][:_SHOWN]!r}."
        )
    rows = [row_id for row_id, _ in found.values()]
    names = [name for _, name in found.values()]
    ended = command_hosts.cancel_unsent(tx, task_id, now, rows)
    sent = command_hosts.request_cancel(tx, task_id, now, rows)
    if not (ended or sent):
        shown = fold_names(names[:_NAMED_MAX])
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        raise IllegalMoveError(f"Task {task_id} has ended already on {shown}{more}.")
    update_task_status(tx, task_id, now)
    audit.record(
        tx, now, actor, "cancel_hosts", task_id=task_id, names=fold_names(names), told=len(sent)
    )
    return sent
