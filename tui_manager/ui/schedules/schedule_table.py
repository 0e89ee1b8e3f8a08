"""The schedules as a table. What a row shows is a pure function."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.schedules.schedule import SCHEDULE_KEYS, Schedule
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import KeyMap, Pane
from tui_manager.ui.drawing.schedule_words import next_text, run_glyph, run_words, schedule_glyph
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, filter_words
from tui_manager.ui.manager_link import Link
from tui_manager.ui.schedules.task_statuses import TaskStatuses

COLUMNS = (
    Column("state", "", 1),
    Column("name", "NAME", 12, grow=2, max_width=40, sort="name"),
    Column("cron", "CRON", 11, grow=1, max_width=24, hide_order=2),
    Column("zone", "ZONE", 13, grow=1, max_width=24, hide_order=4),
    Column("next", "NEXT", 7, grow=2, max_width=26, sort="next"),
    Column("last_state", "", 1),
    Column("last", "LAST", 13, grow=1, max_width=40, hide_order=1),
)


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule, and the status of the task that it started last; None: there is none."""

    schedule: Schedule
    status: TaskStatus | None = None


def schedule_cell(row: ScheduleRow, key: str, width: int, now: datetime) -> Spans:
    """The cell of a schedule in a column. A problem stands in place of the last result."""
    schedule, last = row.schedule, row.schedule.last
    match key:
        case "state":
            return (schedule_glyph(schedule),)
        case "name":
            return spans(safe_line(schedule.spec.name), Role.STRONG)
        case "cron":
            return spans(safe_line(schedule.spec.cron))
        case "zone":
            return spans(safe_line(schedule.spec.zone), Role.MUTED)
        case "next":
            quiet = schedule.paused or schedule.next is None
            text = next_text(schedule, now, width)
            return spans(text, Role.CAUTION if quiet else Role.PLAIN)
        case "last_state":
            return (run_glyph(last, row.status),) if last and not schedule.problem else BLANK
        case _ if schedule.problem:
            return spans(safe_line(schedule.problem), Role.FAULT)
        case _:
            return (run_words(last, row.status),) if last else BLANK


def no_schedules(keys: KeyMap) -> tuple[Spans, ...]:
    """What the table shows if there are none."""
    return (
        (Span("No schedule yet.", Role.STRONG),),
        (),
        (Span("A schedule runs a template, or a command, by the clock."),),
        (Span(key_of("add_schedule", keys), Role.STRONG), Span(" adds one.")),
    )


class ScheduleTable(RowTable[ScheduleRow]):
    """All schedules, by name."""

    PANE = Pane.SCHEDULES
    TITLE = "Schedules"
    NOUN = "schedules"
    FILTER_KEYS = SCHEDULE_KEYS
    FILTERS = filter_words(SCHEDULE_KEYS, "paused")
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def __init__(self, link: Link, statuses: TaskStatuses, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._statuses = statuses

    def key_of(self, row: ScheduleRow) -> str:
        return row.schedule.spec.name

    def cell(self, row: ScheduleRow, key: str, width: int, now: datetime) -> Spans:
        return schedule_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[ScheduleRow]:
        page = await self.link.operator.list_schedules(window)
        lasts = [row.last.task_id if row.last else 0 for row in page.rows]
        statuses = await self._statuses.read(task_id for task_id in lasts if task_id)
        rows = [
            ScheduleRow(row, statuses.get(task_id))
            for row, task_id in zip(page.rows, lasts, strict=True)
        ]
        return Page(rows, page.matching, page.total, page.partial)

    def empty_lines(self) -> Sequence[Spans]:
        return no_schedules(self.link.keys)
