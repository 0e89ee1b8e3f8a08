"""The tasks that run, are held or are being canceled: always in sight on the dashboard.
What a row shows is a pure function."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import RUNNING_TASKS
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.tasks.task import Counts, Task
from tui_manager.domain.tasks.task_map import TaskSummary
from tui_manager.domain.text.number_format import number, progress, running_time
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import DEFAULT_KEYS, KeyMap, Pane
from tui_manager.ui.drawing.bars import progress_bar
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, plain, spans
from tui_manager.ui.drawing.state_words_and_colours import task_glyph
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_list import HEADER
from tui_manager.ui.listing.table_layout import GAP, Column, ColumnWidths
from tui_manager.ui.manager_link import Link
from tui_manager.ui.tasks.failure_summary import failure_words
from tui_manager.ui.tasks.lists.all_tasks_table import elapsed, remaining, short_author
from tui_manager.ui.tasks.lists.shared_task_columns import NO_SUMMARY
from tui_manager.ui.tasks.lists.task_selection import TaskPickTable

_NAMES_READ = 12  # failed commands of a task that are read for the names of their hosts
_NAMES_ENOUGH = 6  # more have no room in most terminals
_TASKS_NAMED = 20  # tasks of which these are read
_DONE_MOST = 11  # cells: 10000/10000
_FRAME = 2  # lines
_NAMES_LEAST, _WHY_GAP = 12, "  "  # cells that names keep beside why it failed

COLUMNS = (
    Column("state", "", 1),
    Column("id", "#", 3, right=True),
    Column("name", "NAME", 16, grow=3, max_width=44),
    Column("target", "TARGET", 8, grow=2, max_width=36, hide_order=5),
    Column("done", "HOSTS", 5, right=True),
    Column("bar", "PROGRESS", 8, grow=2, max_width=32, hide_order=3),
    Column("failed", "FAILED", 12, grow=6, max_width=40),
    Column("what", "", 12, grow=1, max_width=48, hide_order=4),
    Column("time", "TIME", 7, right=True),
    Column("left", "ETA", 7, right=True, hide_order=6),
    Column("by", "BY", 8, grow=1, max_width=20, hide_order=7),
)
_MERGED = ("bar", "failed", "what")  # one cell for a task that waits for an operator


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task that runs.

    Attributes:
        failed: names of hosts on which it failed, some at most.
        summary: why it failed, and how far its commands are.
    """

    task: Task
    failed: tuple[str, ...] = ()
    summary: TaskSummary = NO_SUMMARY


def columns_for(rows: Iterable[RunningTask]) -> tuple[Column, ...]:
    """The columns, wide enough for the numbers of these tasks. If none of them has batches or is
    held, there is no column for that."""
    most_id = most_hosts = 0
    says_what = False
    for row in rows:
        rollout = row.task.rollout
        says_what |= row.task.waits or (rollout is not None and rollout.batches > 1)
        most_id = max(most_id, row.task.task_id)
        most_hosts = max(most_hosts, row.task.host_count)
    needed = {
        "id": len(str(most_id)),
        "done": min(2 * len(str(most_hosts)) + 1, _DONE_MOST),
    }
    return tuple(
        replace(column, width=max(column.width, needed.get(column.key, 0)))
        for column in COLUMNS
        if column.key != "what" or says_what
    )


def merge_for(task: Task, widths: ColumnWidths) -> ColumnWidths:
    """The columns of a row. What a task waits for needs more room than one column."""
    if not (task.waits or task.canceling):
        return widths
    merged: list[tuple[Column, int]] = []
    for column, width in widths:
        if column.key not in _MERGED:
            merged.append((column, width))
        elif merged and merged[-1][0].key == "waits":
            merged[-1] = (merged[-1][0], merged[-1][1] + GAP + width)
        else:
            merged.append((replace(column, key="waits"), width))
    return merged


def running_cell(
    row: RunningTask, key: str, width: int, now: datetime, keys: KeyMap = DEFAULT_KEYS
) -> Spans:
    """The cell of a running task in a column."""
    if key == "waits":
        return _waits(row, width, keys)
    return _CELLS[key](row, width, now)


def failed_spans(hosts: int, names: Sequence[str], width: int) -> Spans:
    """`2✘ db02,web03`: how many hosts have failed, and as many whole names as there is room for."""
    if not hosts:
        return BLANK
    text = f"{number(hosts, max(1, min(width - 1, 5)))}✘"
    shown: list[str] = []
    for name in map(safe_line, names):
        more = "" if len(shown) + 1 == hosts else ",…"
        if len(text) + 1 + len(",".join([*shown, name])) + len(more) > width:
            break
        shown.append(name)
    if shown:
        text += f" {','.join(shown)}{'' if len(shown) == hosts else ',…'}"
    return spans(text, Role.FAULT)


def waits_text(task: Task, width: int, keys: KeyMap = DEFAULT_KEYS) -> str:
    """What a task waits for, and which keys end that; in fewer words if there is little room."""
    resume = f"{key_of('pause_task', keys)} goes on"
    both = f"{resume}, {key_of('cancel_task', keys)} cancels"
    forms: tuple[str, ...] = ("",)
    if task.canceling:
        forms = ("canceling: waits until all processes are gone", "canceling")
    elif task.paused:
        forms = (f"paused: {both}", f"paused: {resume}", "paused")
    elif task.hold is not None:
        after = f"on hold after batch {task.hold.batch}"
        forms = (
            f"{after} of {task.hold.of}: {both}",
            f"{after}: {both}",
            f"{after}: {resume}",
            f"on hold: {resume}",
            "on hold",
        )
    return next((form for form in forms if len(form) <= width), forms[-1])


def _waits(row: RunningTask, width: int, keys: KeyMap) -> Spans:
    failed = failed_spans(row.task.hosts_failed, (), width)
    used = len(failed[0].text) + 2 if failed else 0
    gap = (Span("  "),) if failed else ()
    return (*failed, *gap, Span(waits_text(row.task, width - used, keys), Role.CAUTION))


def _what(row: RunningTask, width: int, now: datetime) -> Spans:
    rollout = row.task.rollout
    if rollout is None or rollout.batches < 2:
        return BLANK
    whole = f"batch {rollout.batch:,} of {rollout.batches:,}"
    short = progress(rollout.batch, rollout.batches, width)
    return spans(whole if len(whole) <= width else short, Role.MUTED)


def _time(row: RunningTask, width: int, now: datetime) -> Spans:
    passed = elapsed(row.task, now)
    return spans(running_time(passed, width)) if passed is not None else BLANK


def _failed(row: RunningTask, width: int, now: datetime) -> Spans:
    """`2✘ db02,web03  exit 3 on 2`: why it failed too, if no name has to give way. If not all names
    fit, some of them do."""
    hosts, names = row.task.hosts_failed, row.failed
    named = plain(failed_spans(hosts, names, width))
    used = len(named) if not named.endswith("…") else _NAMES_LEAST
    why = failure_words(row.task, row.summary.failures, width - used - len(_WHY_GAP))
    if not why:
        return failed_spans(hosts, names, width)
    gap = _WHY_GAP if named else ""
    return (*failed_spans(hosts, names, width - len(why) - len(gap)), Span(f"{gap}{why}"))


def _left(row: RunningTask, width: int, now: datetime) -> Spans:
    left = remaining(row.task, now)
    return spans(f"~{running_time(left, width - 1)}", Role.MUTED) if left is not None else BLANK


def _done(row: RunningTask, width: int, now: datetime) -> Spans:
    return spans(progress(row.task.hosts_ended, row.task.host_count, width))


_CELLS: Mapping[str, Callable[[RunningTask, int, datetime], Spans]] = {
    "state": lambda row, width, now: (task_glyph(row.task),),
    "id": lambda row, width, now: spans(str(row.task.task_id), Role.MUTED),
    "name": lambda row, width, now: spans(safe_line(row.task.name), Role.STRONG),
    "target": lambda row, width, now: spans(safe_line(row.task.target), Role.MUTED),
    "done": _done,
    "bar": lambda row, width, now: progress_bar(
        row.task.counts, width, percent=row.summary.percent
    ),
    "failed": _failed,
    "what": _what,
    "time": _time,
    "left": _left,
    "by": lambda row, width, now: spans(short_author(row.task), Role.MUTED),
}


class RunningTasksTable(TaskPickTable[RunningTask]):
    """The running tasks; first the one that was started last."""

    PANE = Pane.TASKS
    TITLE = "Now"
    NOUN = "running tasks"
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._names: dict[int, tuple[Counts, tuple[str, ...]]] = {}  # read with these counts

    @property
    def columns(self) -> Sequence[Column]:
        return columns_for(self.list.rows.values())

    @property
    def lines_needed(self) -> int:
        """The lines that show all its rows; 0 without rows."""
        return self.list.matching + HEADER + _FRAME if self.list.matching else 0

    def key_of(self, row: RunningTask) -> str:
        return str(row.task.task_id)

    def cell(self, row: RunningTask, key: str, width: int, now: datetime) -> Spans:
        row = replace(row, summary=self.summary_of(row))
        return running_cell(row, key, width, now, self.link.keys)

    def task_of(self, row: RunningTask) -> Task:
        return row.task

    def widths_of(self, row: RunningTask, widths: ColumnWidths) -> ColumnWidths:
        return merge_for(row.task, widths)

    async def fetch(self, window: Window) -> Page[RunningTask]:
        by_start = replace(window, sort="started", descending=True)
        page = await self.link.operator.list_tasks(by_start, RUNNING_TASKS)
        named = [await self._failed_on(task) for task in page.rows[:_TASKS_NAMED]]
        named += [()] * (len(page.rows) - len(named))
        rows = [RunningTask(task, names) for task, names in zip(page.rows, named, strict=True)]
        return Page(rows, page.matching, page.matching)

    async def _failed_on(self, task: Task) -> tuple[str, ...]:
        """Names of hosts on which a task failed. They are read again only after others have, and
        not if enough are known."""
        if not task.hosts_failed:
            self._names.pop(task.task_id, None)
            return ()
        counts = replace(task.counts, pending=0, running=0, completed=0)
        known = self._names.get(task.task_id)
        if known is None or (known[0] != counts and len(known[1]) < _NAMES_ENOUGH):
            window = Window(faults_only=True, limit=_NAMES_READ)
            page = await self.link.operator.list_command_hosts(task.task_id, window)
            failed = (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT)
            names = dict.fromkeys(row.host for row in page.rows if row.status in failed)
            known = self._names[task.task_id] = counts, tuple(names)
        return known[1]

    def sort_by_next(self, step: int) -> None:
        """Says where tasks can be sorted."""
        key = key_of("show_tasks", self.link.keys)
        self.app.notify(f"Now has its own order: {key} shows all tasks.", markup=False)

    def reverse_order(self) -> None:
        """Says where tasks can be sorted."""
        self.sort_by_next(1)

    def empty_lines(self) -> Sequence[Spans]:
        return ()

    def foot(self) -> str:
        hidden = self.list.matching - max(1, self.size.height - HEADER)
        key = key_of("show_tasks", self.link.keys)
        return f"{hidden:,} more: {key} shows all" if self.display and hidden > 0 else ""
