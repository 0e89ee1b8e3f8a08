"""Changes of the status of a task, and of whether it is paused: each is one guarded statement.

`tasks.py` adds and reads tasks. Changes of command hosts are in `command_hosts.py`.
"""

import json
from collections.abc import Sequence

from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.storage.engine.metric_counters import Act, count
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import rollouts, tasks

_SQL = load_queries("tasks.sql")


def start(
    tx: Transaction, task_id: int, host_count: int, left_out: Sequence[str], now: int
) -> None:
    """pending → running. Raises IllegalMoveError from any other status.

    Args:
        left_out: names of hosts that the target matches and on which it does not run.
    """
    values = {
        "task_id": task_id,
        "host_count": host_count,
        "left_out": json.dumps(list(left_out)),
        "now": now,
    }
    if not tx.execute(_SQL["start"], values).rowcount:
        status = tasks.get(tx, task_id).status
        raise IllegalMoveError(f"Task {task_id} cannot be started: it is {status} already.")
    count(Act.TASK_STARTED)


def cancel(tx: Transaction, task_id: int, now: int) -> TaskStatus:
    """Stores the request to cancel, ends a pending task, and returns the new status.

    Raises:
        IllegalMoveError: the task has ended.
    """
    rows = tx.execute(_SQL["cancel"], {"task_id": task_id, "now": now}).fetchall()
    if not rows:
        status = tasks.get(tx, task_id).status
        raise IllegalMoveError(f"Task {task_id} cannot be canceled: it is {status} already.")
    rollouts.end_hold(tx, task_id)
    status = TaskStatus(rows[0]["status"])
    if status.ended:
        count(Act.TASK_ENDED, status)
    return status


def pause(tx: Transaction, task_id: int, now: int) -> None:
    """Lets nothing more of a running task be sent.

    Raises:
        IllegalMoveError: it does not run, was cancelled, or is paused already.
    """
    if not tx.execute(_SQL["pause"], {"task_id": task_id, "now": now}).rowcount:
        task = tasks.get(tx, task_id)
        state = "paused already" if task.paused else _state(task)
        raise IllegalMoveError(f"Task {task_id} cannot be paused: it is {state}.")


def resume(tx: Transaction, task_id: int) -> int | None:
    """Ends the pause and the hold of a running task.

    Returns:
        Since when it was paused, in microseconds since 1970 UTC; None: it was only held.

    Raises:
        IllegalMoveError: it does not run, was cancelled, or is neither paused nor held.
    """
    released = rollouts.release(tx, task_id)
    row = tx.execute(_SQL["paused_at"], {"task_id": task_id}).fetchone()
    if tx.execute(_SQL["resume"], {"task_id": task_id}).rowcount:
        since: int = row["paused_at"]
        return since
    if released:
        return None
    task = tasks.get(tx, task_id)
    running = task.status is TaskStatus.RUNNING and not task.canceling
    state = "neither paused nor held" if running else _state(task)
    raise IllegalMoveError(f"Task {task_id} cannot be resumed: it is {state}.")


def _state(task: Task) -> str:
    """What an operator calls the state of a task."""
    return "being canceled" if task.canceling else task.status


def end(tx: Transaction, task_id: int, status: TaskStatus, now: int) -> bool:
    """running → `status`; False: it was not running."""
    values = {"task_id": task_id, "status": status, "now": now}
    ended = bool(tx.execute(_SQL["end"], values).rowcount)
    if ended:
        rollouts.end_hold(tx, task_id)
        count(Act.TASK_ENDED, status)
    return ended


def reopen(tx: Transaction, task_id: int) -> bool:
    """failed → running; False: it had not failed."""
    reopened = tx.execute(_SQL["reopen"], {"task_id": task_id}).rowcount
    count(Act.TASK_REOPENED, number=reopened)
    return bool(reopened)


def correct(tx: Transaction, task_id: int, status: TaskStatus) -> bool:
    """completed ↔ failed; False: nothing had to change."""
    corrected = tx.execute(_SQL["correct"], {"task_id": task_id, "status": status}).rowcount
    count(Act.TASK_CORRECTED, status, number=corrected)
    return bool(corrected)
