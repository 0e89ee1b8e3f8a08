"""The tasks that do not run, the newest first. What a row shows is a pure function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import OTHER_TASKS, TASK_KEYS
from tui_manager.domain.presentation.state_words import glyph_of
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.tasks.task_map import TaskSummary
from tui_manager.domain.text.number_format import number, running_time
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans
from tui_manager.ui.drawing.state_words_and_colours import task_glyph
from tui_manager.ui.listing.table_layout import GAP, GUTTER, Column, filter_words
from tui_manager.ui.tasks.failure_summary import failure_words
from tui_manager.ui.tasks.lists.all_tasks_table import NO_TASK, elapsed, no_tasks, short_author
from tui_manager.ui.tasks.lists.running_tasks_table import RunningTasksTable
from tui_manager.ui.tasks.lists.shared_task_columns import NO_SUMMARY
from tui_manager.ui.tasks.lists.task_selection import TaskPickTable, clock_text

COLUMNS = (
    Column("state", "", 1),
    Column("id", "#", 3, right=True),
    Column("name", "NAME", 12, grow=3, max_width=48),
    Column("target", "TARGET", 8, grow=2, max_width=40, hide_order=3),
    Column("hosts", "HOSTS", 8, right=True),
    Column("why", "WHY", 10, grow=2, max_width=32, hide_order=4),
    Column("time", "TIME", 6, right=True, hide_order=5, sort="duration", largest_first=True),
    Column("when", "WHEN", 6, right=True, hide_order=1),
    Column("by", "BY", 7, grow=1, max_width=16, hide_order=2),
)
# In place of HOSTS and WHY, if there is no room for both.
_HOSTS_AND_WHY = Column("hosts_and_why", "HOSTS", 12, right=True)
_HIDDEN_BEFORE_WHY = "time"

ONLY_RUNNING: Spans = (Span("No task besides those that run.", Role.STRONG),)


def columns_for(tasks: Sequence[Task], width: int) -> tuple[Column, ...]:
    """The columns, wide enough for the numbers of these tasks. In a narrow table one column says on
    how many hosts a task failed and why."""
    needed = len(str(max((task.task_id for task in tasks), default=0)))
    columns = tuple(
        replace(column, width=max(column.width, needed)) if column.key == "id" else column
        for column in COLUMNS
    )
    kept = [column.width for column in columns if column.key != _HIDDEN_BEFORE_WHY]
    if sum(kept) + GAP * (len(kept) - 1) <= width:
        return columns
    return tuple(
        _HOSTS_AND_WHY if column.key == "hosts" else column
        for column in columns
        if column.key != "why"
    )


def hosts_spans(task: Task, width: int) -> Spans:
    """On how many hosts it ran; before that, on how many it failed: `2✘ of 8`."""
    if not task.host_count:
        return BLANK
    faulty, glyph, role = task.hosts_failed, glyph_of("failed"), Role.FAULT
    if not faulty and task.counts.skipped:
        faulty, glyph = min(task.counts.skipped, task.host_count), glyph_of("skipped")
        role = Role.CAUTION
    if not faulty:
        return spans(number(task.host_count, width), Role.MUTED)
    for room in (width, 5, 4, 3):
        head, tail = f"{number(faulty, room)}{glyph}", f" of {number(task.host_count, room)}"
        if len(head) + len(tail) <= width:
            return (Span(head, role), Span(tail, Role.MUTED))
    return spans(f"{number(faulty, width - 1)}{glyph}", role)


def recent_cell(
    task: Task, key: str, width: int, now: datetime, summary: TaskSummary = NO_SUMMARY
) -> Spans:
    """The cell of a task in a column."""
    if key == "why":
        return spans(failure_words(task, summary.failures, width))
    if key == "hosts_and_why":
        return _hosts_and_why(task, summary, width)
    return _CELLS[key](task, width, now)


def _hosts_and_why(task: Task, summary: TaskSummary, width: int) -> Spans:
    """`2✘ exit 3`; `2✘ of 8` if the reason is not known or does not fit."""
    failed = f"{number(task.hosts_failed, 4)}{glyph_of('failed')} "
    why = failure_words(task, summary.failures, width - len(failed))
    if not (why and task.hosts_failed):
        return hosts_spans(task, width)
    return (Span(failed, Role.FAULT), Span(why))


def _time(task: Task, width: int, now: datetime) -> Spans:
    passed = elapsed(task, now)
    return spans(running_time(passed, width), Role.MUTED) if passed is not None else BLANK


def _when(task: Task, width: int, now: datetime) -> Spans:
    return spans(clock_text(task.started_at or task.created_at, now), Role.MUTED)


def _name(task: Task, width: int, now: datetime) -> Spans:
    quiet = task.status is TaskStatus.PENDING
    return spans(safe_line(task.name), Role.PLAIN if quiet else Role.STRONG)


_CELLS: Mapping[str, Callable[[Task, int, datetime], Spans]] = {
    "state": lambda task, width, now: (task_glyph(task),),
    "id": lambda task, width, now: spans(str(task.task_id), Role.MUTED),
    "name": _name,
    "target": lambda task, width, now: spans(safe_line(task.target), Role.MUTED),
    "hosts": lambda task, width, now: hosts_spans(task, width),
    "time": _time,
    "when": _when,
    "by": lambda task, width, now: spans(short_author(task), Role.MUTED),
}


class RecentTasksTable(TaskPickTable[Task]):
    """All tasks that do not run."""

    PANE = Pane.TASKS
    NEWEST_FIRST = True
    TITLE = "Recent"
    NOUN = "tasks"
    FILTER_KEYS = TASK_KEYS
    FILTERS = filter_words(TASK_KEYS)
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS
    _hint: Sequence[Spans] = ()

    @property
    def columns(self) -> Sequence[Column]:
        width = self.scrollable_size.width - GUTTER
        return columns_for([*self.list.rows.values()], width)

    def key_of(self, row: Task) -> str:
        return str(row.task_id)

    def cell(self, row: Task, key: str, width: int, now: datetime) -> Spans:
        return recent_cell(row, key, width, now, self.summary_of(row))

    def task_of(self, row: Task) -> Task:
        return row

    async def fetch(self, window: Window) -> Page[Task]:
        page = await self.link.operator.list_tasks(window, OTHER_TASKS)
        plain = not (window.text or window.faults_only)
        return replace(page, total=page.matching) if plain else page

    def set_hint(self, lines: Sequence[Spans]) -> None:
        """Sets what an empty table says in place of that no task was made; nothing: that."""
        if lines != self._hint:
            self._hint = lines
            self.refresh()

    def empty_lines(self) -> Sequence[Spans]:
        status = self.link.status
        first = ONLY_RUNNING if status and status.tasks_running else NO_TASK
        return self._hint or no_tasks(self.link.keys, first)


def move_marks(now: RunningTasksTable, recent: RecentTasksTable) -> None:
    """A task keeps its mark when it ends or starts, and goes from one list to the other."""
    ended = {key: row.task for key, row in now.list.take_absent_marks().items()}
    running = {now.key_of(row): row for row in now.list.rows.values()}
    started = {key: running[key] for key in recent.list.marks.keys() & running.keys()}
    if not (ended or started):
        return
    recent.list.add_marks(ended)
    recent.list.take_marks(started)
    now.list.add_marks(started)
    for table in (now, recent):
        table.retitle()
        table.refresh_changed()
