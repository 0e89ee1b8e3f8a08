"""Which tasks have ended that ran for long, and what is said about them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import RUNNING_TASKS
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.number_format import count_of, running_time
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.operator.api import Operator
from tui_manager.ui.drawing.spans import shorten

_WATCHED = 100  # running tasks, the newest
_ASKED = 20  # ended tasks that are looked up at once
_NAME = 60  # cells


class EndedLongTasks:
    """Remembers which tasks run, and looks which of them have ended.

    Args:
        after: tasks that ran for less are left out.
    """

    def __init__(self, after: timedelta) -> None:
        self._after = after
        self._running: frozenset[int] = frozenset()

    async def find(self, operator: Operator) -> Sequence[Task]:
        """The tasks that have ended since the last call, which is best made after each change. May
        raise ManagerError."""
        page = await operator.list_tasks(Window(limit=_WATCHED), RUNNING_TASKS)
        running = frozenset(task.task_id for task in page.rows)
        tasks = []
        for task_id in sorted(self._running - running)[:_ASKED]:
            with suppress(NotFoundError):  # it is pruned
                tasks.append((await operator.get_task(task_id)).task)
        self._running = running
        return [task for task in tasks if task.status.ended and self._is_long(task)]

    def _is_long(self, task: Task) -> bool:
        return duration_of(task) > self._after


def duration_of(task: Task) -> timedelta:
    """From its start to its end."""
    if task.started_at is None or task.finished_at is None:
        return timedelta(0)
    return task.finished_at - task.started_at


def end_text(task: Task) -> str:
    """`#62 restart failed after 0:52: 2 of 14 hosts`."""
    name = shorten(safe_line(task.name), _NAME)
    text = f"#{task.task_id} {name} {task.status} after {running_time(duration_of(task))}"
    if task.status is TaskStatus.FAILED and task.hosts_failed:
        return f"{text}: {task.hosts_failed:,} of {count_of(task.host_count, 'host')} failed."
    return f"{text} on {count_of(task.host_count, 'host')}."
