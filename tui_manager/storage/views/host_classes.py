"""What became of each host in a task that has ended."""

from collections.abc import Iterable

from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.targets.target import TaskHost
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import tasks

_SQL = load_queries("host_classes.sql")
_CLASSES = tuple(HostClass)


def task_hosts(tx: Transaction, task_id: int) -> tuple[TaskHost, ...]:
    """The hosts of a task that has ended, in no order. A host whose task was canceled before its
    start is not among them, because nobody had looked its target up."""
    rows = tx.execute(_SQL["host_classes"], {"task_id": task_id})
    return tuple(TaskHost(row["host_id"], row["name"], _CLASSES[row["class"]]) for row in rows)


def hosts_of_tasks(tx: Transaction, task_ids: Iterable[int]) -> dict[int, tuple[TaskHost, ...]]:
    """The hosts of each of these tasks, which a target names.

    Raises InvalidInputError("target"): one does not exist, or has not ended.
    """
    found = {}
    for task_id in sorted(task_ids):
        try:
            status = tasks.get(tx, task_id).status
        except NotFoundError as error:
            raise InvalidInputError("target", str(error)) from error
        if not status.ended:
            raise InvalidInputError(
                "target",
                f"Task {task_id} is {status}: what became of its hosts is known when it has ended.",
            )
        found[task_id] = task_hosts(tx, task_id)
    return found
