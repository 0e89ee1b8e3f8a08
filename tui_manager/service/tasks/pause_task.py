"""The transactions that pause and resume a task. Commands that were sent to hosts go on in a
pause."""

from collections.abc import Set

from tui_manager.service.core import advance_task
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.tasks import rollouts, task_transitions, tasks
from tui_manager.storage.views.delivery import command_delivery, rollout_hosts

_OFFLINE = "The host was offline when the task was resumed."


def pause(tx: Transaction, task_id: int, actor: str, now: int) -> None:
    """Lets nothing more of a running task be sent. Hosts of a rollout that have not begun will have
    their turn again.

    Args:
        actor: who asked, `user@terminal`.
        now: microseconds since 1970 UTC.

    Raises:
        NotFoundError, IllegalMoveError: there is no such task, or it cannot be paused.
    """
    task_transitions.pause(tx, task_id, now)
    rollout_hosts.take_back(tx, task_id)
    audit.record(tx, now, actor, "pause_task", task_id=task_id)


def resume(tx: Transaction, task_id: int, reachable: Set[int], actor: str, now: int) -> set[int]:
    """Ends a pause and a hold. Delivery timeouts go on. Commands that do not wait for their hosts
    and whose turn has come are judged now: if the host is offline, they fail.

    Args:
        reachable: row ids of the hosts that are connected, or are expected to be soon.
        actor, now: as for `pause`.

    Returns:
        Row ids of the hosts whose commands may be sent now.

    Raises:
        NotFoundError, IllegalMoveError: there is no such task, or it is neither paused nor held.
    """
    tasks.lock(tx, task_id)  # else a leader that has read the hold would end it as expired
    paused_at = task_transitions.resume(tx, task_id)
    if paused_at is not None:
        length = max(0, now - paused_at)
        command_delivery.extend_delivery(tx, task_id, length)
        rollouts.extend_waits(tx, task_id, length)
        _fail_offline(tx, task_id, reachable, now)
    audit.record(tx, now, actor, "resume_task", task_id=task_id)
    return command_delivery.hosts_to_send(tx, task_id)


def _fail_offline(tx: Transaction, task_id: int, reachable: Set[int], now: int) -> None:
    unsent = command_delivery.unsent_of_task(tx, task_id)
    offline = [command for command in unsent if command.host not in reachable]
    advance_task.fail_unsent(tx, offline, _OFFLINE, now)
    advance_task.update_task_status(tx, task_id, now)
