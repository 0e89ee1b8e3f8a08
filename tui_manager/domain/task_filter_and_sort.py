"""How a list of tasks is filtered, besides what its window says, and by which columns it can be
sorted. A file of its own, because it belongs neither to windows, which all lists have, nor to what
a task is."""

from dataclasses import dataclass
from datetime import datetime

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.list_window import TEXT_MAX
from tui_manager.domain.status import TaskStatus

TASK_SORT_COLUMNS = ("created", "started", "finished", "duration")  # that tasks can be sorted by


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A task must fit each of these; what is empty lets every task pass.

    Attributes:
        statuses: it has one of them.
        host: it ran on the host of this name or host_id, which may be gone since.
        created_by: this actor made it, or this user at any terminal.
        since: it was made then or later.
    """

    statuses: tuple[TaskStatus, ...] = ()
    host: str = ""
    created_by: str = ""
    since: datetime | None = None

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, if something is out of bounds."""
        for field, text in (("host", self.host), ("created_by", self.created_by)):
            if len(text) > TEXT_MAX:
                raise InvalidInputError(
                    field,
                    f"{field} has at most {TEXT_MAX} characters; this one has {len(text)}.",
                )


ALL_TASKS = TaskFilter()
RUNNING_TASKS = TaskFilter(statuses=(TaskStatus.RUNNING,))
OTHER_TASKS = TaskFilter(
    statuses=tuple(status for status in TaskStatus if status is not TaskStatus.RUNNING)
)
