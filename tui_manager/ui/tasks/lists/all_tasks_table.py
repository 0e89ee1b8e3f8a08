"""The tasks as a table, the newest first. What a row shows is a pure function."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import TASK_KEYS
from tui_manager.domain.presentation.state_words import glyph_of
from tui_manager.domain.schedules.schedule import ACTOR
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Counts, Task, estimate_remaining
from tui_manager.domain.tasks.task_map import TaskSummary
from tui_manager.domain.text.number_format import (
    MOMENT_AND_AGE,
    count_of,
    moment,
    number,
    progress,
    running_time,
)
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import KeyMap, Pane
from tui_manager.ui.drawing.bars import progress_bar
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans, width_of
from tui_manager.ui.drawing.state_words_and_colours import STATE_ROLES, task_glyph, task_state
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.table_layout import Column, filter_words
from tui_manager.ui.tasks.failure_summary import failure_words
from tui_manager.ui.tasks.lists.shared_task_columns import NO_SUMMARY, TaskSummaryTable

ID, DONE, BATCH = "id", "done", "batch"
_DONE_MOST = 11  # cells: 10000/10000
COLUMNS = (
    Column("state", "", 1),
    Column(ID, "#", 4, right=True),
    Column("name", "NAME", 12, grow=3, max_width=40),
    Column("target", "TARGET", 8, grow=2, max_width=30, hide_order=3),
    Column("bar", "PROGRESS", 8, grow=1, max_width=20, hide_order=2),
    Column(DONE, "HOSTS", 7, right=True),
    Column("faults", "FAILED", 6, right=True),
    Column("time", "TIME", 7, right=True, hide_order=1, sort="duration", largest_first=True),
    Column(BATCH, "BATCH", 5, right=True, hide_order=4),
    Column("left", "ETA", 6, right=True, hide_order=5),
)
_MOMENT = len("26 Nov 23:00")
WIDE_COLUMNS = (
    Column("state", "", 1),
    Column(ID, "#", 4, right=True),
    Column("name", "NAME", 12, grow=3, max_width=48),
    Column("target", "TARGET", 8, grow=2, max_width=40, hide_order=3),
    Column("by", "BY", 8, grow=1, max_width=20, hide_order=1),
    Column(
        "created",
        "CREATED",
        _MOMENT,
        grow=1,
        max_width=MOMENT_AND_AGE,
        right=True,
        hide_order=2,
        sort="created",
        largest_first=True,
    ),
    Column("bar", "PROGRESS", 8, grow=1, max_width=20, hide_order=7),
    Column(DONE, "HOSTS", 7, right=True),
    Column("faults", "FAILED", 6, right=True),
    Column("why", "WHY", 10, grow=2, max_width=40, hide_order=6),
    Column("time", "TIME", 7, right=True, hide_order=4, sort="duration", largest_first=True),
    Column(BATCH, "BATCH", 5, right=True, hide_order=9),
    Column("left", "ETA", 6, right=True, hide_order=8),
)


def _batches(task: Task) -> int:
    """How many batches it has; 0: it is not cut into batches."""
    return task.rollout.batches if task.rollout and task.rollout.batches > 1 else 0


def columns_for(columns: Sequence[Column], tasks: Iterable[Task]) -> tuple[Column, ...]:
    """The columns, wide enough for the numbers of these tasks. If none of them has batches, there
    is no column for them."""
    most = {ID: 0, DONE: 0, BATCH: 0}
    for task in tasks:
        most[ID] = max(most[ID], task.task_id)
        most[DONE] = max(most[DONE], task.host_count)
        most[BATCH] = max(most[BATCH], _batches(task))
    needed = {
        ID: len(str(most[ID])),
        DONE: min(2 * len(str(most[DONE])) + 1, _DONE_MOST),
        BATCH: min(2 * len(str(most[BATCH])) + 1, _DONE_MOST),
    }
    return tuple(
        replace(column, width=max(column.width, needed.get(column.key, 0)))
        for column in columns
        if column.key != BATCH or most[BATCH]
    )


def author(task: Task, by_schedule: str = "") -> str:
    """Who made a task: `ana@pts/3`, or the name of the schedule, behind the words in
    `by_schedule`."""
    name = task.created_by.removeprefix(ACTOR)
    return safe_line(name if name == task.created_by else by_schedule + name)


def short_author(task: Task) -> str:
    """Who made a task, without the terminal: `ana`; of a schedule its name."""
    if task.created_by.startswith(ACTOR):
        return author(task)
    return safe_line(task.created_by.partition("@")[0])


def elapsed(task: Task, now: datetime) -> timedelta | None:
    """From the start of a task to its end, or to now."""
    return (task.finished_at or now) - task.started_at if task.started_at else None


def remaining(task: Task, now: datetime) -> timedelta | None:
    """How long a running task still takes at its present speed; None while it waits for an
    operator."""
    passed = elapsed(task, now)
    if passed is None or task.status is not TaskStatus.RUNNING or task.waits:
        return None
    return estimate_remaining(task.counts, passed)


def task_cell(
    task: Task, key: str, width: int, now: datetime, summary: TaskSummary = NO_SUMMARY
) -> Spans:
    """The cell of a task in a column."""
    match key:
        case "bar":
            return _bar(task, width, summary)
        case "why":
            return spans(failure_words(task, summary.failures, width))
    return _CELLS[key](task, width, now)


def _name(task: Task, width: int, now: datetime) -> Spans:
    quiet = task.status is TaskStatus.PENDING
    return spans(safe_line(task.name), Role.PLAIN if quiet else Role.STRONG)


def _bar(task: Task, width: int, summary: TaskSummary) -> Spans:
    if task.started_at is None:
        return spans(str(task.status), Role.MUTED)
    if task.canceling or task.waits:  # canceling: until the end of the last command is proven
        return spans(task_state(task), Role.CAUTION)
    return progress_bar(task.counts, width, ended=task.status.ended, percent=summary.percent)


def _done(task: Task, width: int, now: datetime) -> Spans:
    """On how many of its hosts it has ended."""
    done = progress(task.hosts_ended, task.host_count, width)
    return spans(done) if task.host_count else BLANK


def _batch(task: Task, width: int, now: datetime) -> Spans:
    rollout = task.rollout
    if rollout is None or not _batches(task):
        return BLANK
    return spans(progress(rollout.batch, rollout.batches, width))


def _faults(task: Task, width: int, now: datetime) -> Spans:
    """On how many hosts it has failed; if on none, how many were skipped."""
    if task.hosts_failed:
        return spans(f"{number(task.hosts_failed, width - 1)}✘", Role.FAULT)
    skipped = min(task.counts.skipped, task.host_count)
    text = f"{number(skipped, width - 1)}{glyph_of('skipped')}"
    return spans(text, Role.CAUTION) if skipped else BLANK


def _time(task: Task, width: int, now: datetime) -> Spans:
    passed = elapsed(task, now)
    return spans(running_time(passed, width)) if passed is not None else BLANK


def _left(task: Task, width: int, now: datetime) -> Spans:
    left = remaining(task, now)
    return spans(f"~{running_time(left, width - 1)}", Role.MUTED) if left is not None else BLANK


_CELLS: Mapping[str, Callable[[Task, int, datetime], Spans]] = {
    "state": lambda task, width, now: (task_glyph(task),),
    ID: lambda task, width, now: spans(str(task.task_id), Role.MUTED),
    "name": _name,
    "target": lambda task, width, now: spans(safe_line(task.target), Role.MUTED),
    DONE: _done,
    BATCH: _batch,
    "faults": _faults,
    "time": _time,
    "left": _left,
    "by": lambda task, width, now: spans(short_author(task), Role.MUTED),
    "created": lambda task, width, now: spans(moment(task.created_at, now, width), Role.MUTED),
}


_COUNTED = ("completed", "failed", "timeout", "skipped", "canceled", "running", "pending")


def counts_line(counts: Counts, hosts: int, width: int) -> Spans:
    """`14 hosts: 9 completed  2 failed  1 running  2 pending`, with glyphs in place of the words if
    these do not fit `width` cells."""
    numbers = counts.as_dict()
    shown = [(numbers[name], name, STATE_ROLES[name]) for name in _COUNTED if numbers[name]]
    whole = Span(count_of(hosts, "host"))
    words = (whole, *(Span(f"  {amount:,} {name}", role) for amount, name, role in shown))
    if width_of(words) <= width:
        return words
    return (Span(f"{hosts:,} "), *short_counts(counts))


def short_counts(counts: Counts) -> Spans:
    """`9✔ 2✘ 1▶`; nothing if all counts are 0."""
    numbers = counts.as_dict()
    shown = [(numbers[name], name, STATE_ROLES[name]) for name in _COUNTED if numbers[name]]
    return tuple(
        Span(f"{' ' if place else ''}{number(amount, 4)}{glyph_of(name)}", role)
        for place, (amount, name, role) in enumerate(shown)
    )


NO_TASK: Spans = (Span("No task yet.", Role.STRONG),)


def no_tasks(keys: KeyMap, first: Spans = NO_TASK) -> tuple[Spans, ...]:
    """What a table shows if there are none: `first` says so."""
    key = Span(key_of("new_task", keys), Role.STRONG)
    return (first, (), (key, Span(" starts a command on hosts that you name.")))


class TaskTable(TaskSummaryTable[Task]):
    """All tasks."""

    PANE = Pane.TASKS
    NEWEST_FIRST = True
    TITLE = "Tasks"
    NOUN = "tasks"
    FILTER_KEYS = TASK_KEYS
    FILTERS = filter_words(TASK_KEYS)
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    @property
    def columns(self) -> Sequence[Column]:
        return columns_for(self.COLUMNS, self.list.rows.values())

    def key_of(self, row: Task) -> str:
        return str(row.task_id)

    def cell(self, row: Task, key: str, width: int, now: datetime) -> Spans:
        return task_cell(row, key, width, now, self.summary_of(row))

    def task_of(self, row: Task) -> Task:
        return row

    async def fetch(self, window: Window) -> Page[Task]:
        return await self.link.operator.list_tasks(window)

    def empty_lines(self) -> Sequence[Spans]:
        return no_tasks(self.link.keys)


class WideTaskTable(TaskTable):
    """The table with more columns, for the screen of all tasks."""

    COLUMNS: ClassVar[Sequence[Column]] = WIDE_COLUMNS
