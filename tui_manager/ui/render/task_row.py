"""A task as a row of a table."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task import Counts, Task, estimate_remaining
from tui_manager.ui.render.bars import progress_bar
from tui_manager.ui.render.cells import BLANK, Column, Role, Span, Spans, spans
from tui_manager.ui.render.figures import clock, count_of, since
from tui_manager.ui.render.states import task_glyph, task_state

COLUMNS = (
    Column("state", "", 1),
    Column("id", "#", 4, right=True),
    Column("name", "NAME", 12, grow=3, most=40),
    Column("target", "TARGET", 8, grow=2, most=30, rank=3),
    Column("bar", "PROGRESS", 8, grow=1, most=20, rank=2),
    Column("done", "DONE", 7, right=True),
    Column("faults", "", 4, right=True),
    Column("time", "TIME", 7, right=True, rank=1),
    Column("left", "LEFT", 6, right=True, rank=4),
)
WIDE_COLUMNS = (
    *COLUMNS,
    Column("by", "BY", 12, rank=6),
    Column("created", "AGE", 5, right=True, rank=5),
)


def elapsed(task: Task, now: datetime) -> timedelta | None:
    """From the start of a task to its end, or to now."""
    return (task.finished_at or now) - task.started_at if task.started_at else None


def remaining(task: Task, now: datetime) -> timedelta | None:
    """What a running task still takes at its pace."""
    passed = elapsed(task, now)
    if passed is None or task.status is not TaskStatus.RUNNING:
        return None
    return estimate_remaining(task.counts, passed)


def task_cell(task: Task, key: str, width: int, now: datetime) -> Spans:
    """The cell of a task in a column."""
    return _CELLS[key](task, width, now)


def _name(task: Task, width: int, now: datetime) -> Spans:
    quiet = task.status is TaskStatus.PENDING
    return spans(safe_line(task.name), Role.PLAIN if quiet else Role.STRONG)


def _bar(task: Task, width: int, now: datetime) -> Spans:
    if task.started_at is None:
        return spans(str(task.status), Role.MUTED)
    if task.canceling:  # until the end of the last command is proven
        return spans(task_state(task), Role.CAUTION)
    return progress_bar(task.counts, width, ended=task.status.ended)


def _done(task: Task, width: int, now: datetime) -> Spans:
    return spans(f"{task.counts.ended}/{task.counts.total}") if task.counts.total else BLANK


def _faults(task: Task, width: int, now: datetime) -> Spans:
    return spans(f"{task.counts.faults}✘", Role.FAULT) if task.counts.faults else BLANK


def _time(task: Task, width: int, now: datetime) -> Spans:
    passed = elapsed(task, now)
    return spans(clock(passed)) if passed is not None else BLANK


def _left(task: Task, width: int, now: datetime) -> Spans:
    left = remaining(task, now)
    return spans(f"~{clock(left)}", Role.MUTED) if left is not None else BLANK


_CELLS: Mapping[str, Callable[[Task, int, datetime], Spans]] = {
    "state": lambda task, width, now: (task_glyph(task),),
    "id": lambda task, width, now: spans(str(task.task_id), Role.MUTED),
    "name": _name,
    "target": lambda task, width, now: spans(safe_line(task.target), Role.MUTED),
    "bar": _bar,
    "done": _done,
    "faults": _faults,
    "time": _time,
    "left": _left,
    "by": lambda task, width, now: spans(safe_line(task.created_by), Role.MUTED),
    "created": lambda task, width, now: spans(since(task.created_at, now), Role.MUTED),
}


_COUNT_ROLES = (
    ("completed", Role.GOOD),
    ("failed", Role.FAULT),
    ("timeout", Role.FAULT),
    ("skipped", Role.CAUTION),
    ("canceled", Role.CAUTION),
    ("running", Role.ACTIVE),
    ("pending", Role.MUTED),
)


def counts_line(counts: Counts, hosts: int) -> Spans:
    """`14 hosts: 9 completed  2 failed  1 running  2 pending`."""
    numbers = counts.as_dict()
    parts = [Span(count_of(hosts, "host"))]
    for name, role in _COUNT_ROLES:
        if numbers[name]:
            parts.append(Span(f"  {numbers[name]:,} {name}", role))
    return tuple(parts)
