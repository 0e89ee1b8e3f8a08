"""The statuses of the tasks that schedules have started. Those of ended tasks are read once and
kept until they change."""

from collections.abc import Iterable, Mapping

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.ui.manager_link import Link


class TaskStatuses:
    """Reads the status of each task. Those that have ended are kept until they change."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._kept: dict[int, TaskStatus] = {}
        self._forgotten = 0  # times; an answer from before is not kept

    async def read(self, task_ids: Iterable[int]) -> Mapping[int, TaskStatus]:
        """The statuses by task. A task that is not there any more has none. May raise
        ManagerError."""
        found: dict[int, TaskStatus] = {}
        for task_id in task_ids:
            status = self._kept.get(task_id)
            if status is None:
                status = await self._read(task_id)
            if status is not None:
                found[task_id] = status
        return found

    async def _read(self, task_id: int) -> TaskStatus | None:
        forgotten = self._forgotten
        try:
            status = await self._link.operator.get_task_status(task_id)
        except NotFoundError:  # its time to be kept was over
            return None
        if status.ended and forgotten == self._forgotten:
            self._kept[task_id] = status
        return status

    def forget(self, changes: Changes) -> None:
        """Those of the tasks that have changed are read again."""
        self._forgotten += 1
        if changes.all_tasks:
            self._kept.clear()
        for task_id in changes.tasks:
            self._kept.pop(task_id, None)
