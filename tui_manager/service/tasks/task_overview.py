"""One task summed up for a screen. What changes tasks is in `task_service.py`."""

from collections.abc import Mapping, Sequence

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.output.last_line import IDS_MAX, LastLine
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.task_map import SUMMED_TASKS, FailureGroup, TaskMap, TaskSummary
from tui_manager.service.core.core import Core
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.tasks import tasks
from tui_manager.storage.views import task_overview


class TaskOverview:
    """Reads how the hosts of a task stand, at a cost that its number of hosts bounds."""

    def __init__(self, core: Core) -> None:
        self._database = core.database
        self._directory = core.directory

    async def last_lines(
        self, task_id: int, execution_ids: Sequence[str]
    ) -> Mapping[str, LastLine]:
        """The last line of each of these command hosts of a task that has printed something.

        Raises:
            InvalidInputError: these are too many at once.
            NotFoundError: there is no such task.
        """
        if len(execution_ids) > IDS_MAX:
            raise InvalidInputError(
                "execution_ids",
                f"{len(execution_ids)} last lines are too many: ask for {IDS_MAX} at once.",
            )

        def read(tx: Transaction) -> Mapping[str, LastLine]:
            tasks.get(tx, task_id)
            return task_overview.last_lines(tx, task_id, execution_ids)

        return await self._database.read(read)

    async def task_map(self, task_id: int) -> TaskMap:
        """How each host of a task stands. Raises NotFoundError."""
        offline = self._directory.offline_rows()

        def read(tx: Transaction) -> TaskMap:
            task = tasks.get(tx, task_id)
            waits = task.offline is Offline.WAIT and task.status is TaskStatus.RUNNING
            return task_overview.task_map(tx, task_id, offline if waits else ())

        return await self._database.read(read)

    async def find_host(self, task_id: int, number: int) -> CommandHost:
        """The command host that decides a letter of the map. Raises NotFoundError."""

        def read(tx: Transaction) -> CommandHost:
            tasks.get(tx, task_id)
            return task_overview.find_host(tx, task_id, number)

        row = await self._database.read(read)
        return self._directory.without_wait_if_online(row)

    async def failures(self, task_id: int) -> Sequence[FailureGroup]:
        """Hosts on which commands failed, by the way in which. Raises NotFoundError."""

        def read(tx: Transaction) -> Sequence[FailureGroup]:
            tasks.get(tx, task_id)
            return task_overview.failures(tx, task_id, self._host)

        return await self._database.read(read)

    async def summaries(self, task_ids: Sequence[int]) -> Mapping[int, TaskSummary]:
        """What the rows of tasks in a list say besides their counts; empty for a task that there
        is not.

        Raises:
            InvalidInputError: these are too many at once.
        """
        if len(task_ids) > SUMMED_TASKS:
            raise InvalidInputError(
                "task_ids",
                f"{len(task_ids)} tasks are too many: ask for {SUMMED_TASKS} at once.",
            )

        transfers = self._directory.running_transfers()

        def read(tx: Transaction) -> Mapping[int, TaskSummary]:
            return task_overview.summaries(tx, task_ids, transfers, self._host)

        return await self._database.read(read)

    def _host(self, row_id: int) -> HostRow | None:
        """A host by its row id, as far as it is in memory: one look, also from the reader's
        thread."""
        entry = self._directory.find_row(row_id)
        return entry.row if entry else None
