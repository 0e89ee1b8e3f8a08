"""What became of the due times of one schedule, as a table, the newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.schedules.schedule import ScheduleRun
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.text.number_format import since
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.schedule_words import moment, run_glyph, run_words
from tui_manager.ui.drawing.spans import Role, Span, Spans, spans
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column
from tui_manager.ui.manager_link import Link
from tui_manager.ui.schedules.task_statuses import TaskStatuses

COLUMNS = (
    Column("state", "", 1),
    Column("due", "DUE", 16, max_width=22),
    Column("age", "AGE", 5, right=True, hide_order=2),
    Column("what", "RESULT", 20, grow=2, max_width=60),
    Column("detail", "DETAIL", 12, grow=3, max_width=160, hide_order=1),
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A due time, and the status of its task; None: it has none, or it is not there any more."""

    run: ScheduleRun
    status: TaskStatus | None = None


def run_cell(row: RunRow, key: str, width: int, now: datetime) -> Spans:
    """The cell of a due time in a column."""
    match key:
        case "state":
            return (run_glyph(row.run, row.status),)
        case "due":
            return spans(moment(row.run.due, now))
        case "age":
            return spans(since(row.run.due, now), Role.MUTED)
        case "what":
            return (run_words(row.run, row.status),)
        case _:
            return spans(_detail(row.run, now), Role.MUTED)


def _detail(run: ScheduleRun, now: datetime) -> str:
    parts = ["run by an operator"] if run.by_operator else []
    if run.first_due is not None and run.count > 1:
        parts.append(f"the first one {moment(run.first_due, now)}")
    return "   ".join([*parts, *([safe_line(run.detail)] if run.detail else [])])


class RunTable(RowTable[RunRow]):
    """The history of the schedule that `show` names."""

    PANE = Pane.RUNS
    TITLE = "History"
    NOUN = "due times"
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def __init__(self, link: Link, statuses: TaskStatuses, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._statuses = statuses
        self.schedule = ""  # its name; empty: none

    def show(self, schedule: str) -> None:
        """Shows the history of another schedule. The same one keeps its place."""
        if schedule != self.schedule:
            self.schedule = schedule
            self.select_row("", 0)
            self.restart(Window())  # another one: pages that are on their way are dropped

    def key_of(self, row: RunRow) -> str:
        return str(row.run.run_id)

    def cell(self, row: RunRow, key: str, width: int, now: datetime) -> Spans:
        return run_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[RunRow]:
        if not self.schedule:
            return Page((), 0, 0)
        try:
            page = await self.link.operator.list_schedule_runs(self.schedule, window)
        except NotFoundError:  # it was deleted; the list is about to say so
            return Page((), 0, 0)
        statuses = await self._statuses.read(run.task_id for run in page.rows if run.task_id)
        rows = [RunRow(run, statuses.get(run.task_id)) for run in page.rows]
        return Page(rows, page.matching, page.total, page.partial)

    def empty_lines(self) -> Sequence[Spans]:
        return ((Span("Nothing was due yet.", Role.MUTED),),)
