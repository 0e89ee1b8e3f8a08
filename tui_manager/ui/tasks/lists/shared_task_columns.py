"""What the tables of tasks share: why their tasks have failed, and how far the commands are that
run. Both are read after the rows, of the tasks in sight only. What a row says of it is in the files
of the tables and in `failure_summary.py`."""

from tui_manager.domain.lists.list_window import Row
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.tasks.task_map import SUMMED_TASKS, TaskSummary
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.terminal.closable import while_open

_KEPT = 2_000  # summaries
_Faults = tuple[int, int, int]
NO_SUMMARY = TaskSummary()


def _faults(task: Task) -> _Faults:
    counts = task.counts
    return counts.failed, counts.timeout, counts.skipped


class TaskSummaryTable(RowTable[Row]):
    """A table whose rows are tasks."""

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._summaries: dict[int, tuple[_Faults, TaskSummary]] = {}  # with the counts at that time
        self._percents_are_old = False
        self._reader_of_summaries = PacedReader(self._read_summaries)

    def task_of(self, row: Row) -> Task:
        """The task of a row."""
        raise NotImplementedError

    def summary_of(self, row: Row) -> TaskSummary:
        """What was read of the task of a row; an empty one before that."""
        return self._summaries.get(self.task_of(row).task_id, ((), NO_SUMMARY))[1]

    def refresh_changed(self, *, times: bool = False) -> None:
        super().refresh_changed(times=times)
        self._percents_are_old |= times
        seen = self.screen.is_current and not self.link.trouble
        if seen and self._to_read() and self._reader_of_summaries.request():
            self._follow_summaries()

    def _to_read(self) -> dict[int, _Faults]:
        """Tasks in sight that have failed on other hosts since they were read, and, once a second,
        those that run; with their counts."""
        wanted = {}
        for task in map(self.task_of, self.in_sight()):
            faults, known = _faults(task), self._summaries.get(task.task_id)
            failed = any(faults) and (known is None or known[0] != faults)
            if failed or (task.counts.running and self._percents_are_old):
                wanted[task.task_id] = faults
        return dict([*wanted.items()][:SUMMED_TASKS])

    @while_open("summaries")
    async def _follow_summaries(self) -> None:
        await self._reader_of_summaries.run()

    async def _read_summaries(self) -> None:
        if not (wanted := self._to_read()):
            return
        self._percents_are_old = False
        found = await self.link.operator.summarize_tasks([*wanted])
        if len(self._summaries) > _KEPT:
            self._summaries.clear()
        self._summaries.update((task, (wanted[task], found[task])) for task in wanted)
        super().refresh_changed(times=True)
