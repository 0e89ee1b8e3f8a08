"""The head of the screen of a task: its name, state, progress and steps. Pure."""

from datetime import datetime

from tui_manager.domain.host_name_ranges import fold_names
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task import Task, TaskDetail
from tui_manager.ui.drawing.number_format import age, count_of, progress_bar, running_time
from tui_manager.ui.drawing.spans import Role, Span, Spans, justify, shorten, width_of
from tui_manager.ui.drawing.state_words_and_colours import task_glyph, task_state
from tui_manager.ui.tasks.task_steps import step_lines
from tui_manager.ui.tasks.task_table import author, counts_line, elapsed, remaining

_BAR = 24  # cells
_NAME_LEAST = 8  # cells of a name
_NAME_ENOUGH = 24  # cells from which a name leaves the rest of its line to the author


def task_head(detail: TaskDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    """Three lines, and one each for a rollout, for what a task waits for, for where it comes from,
    and for further steps."""
    task = detail.task
    cells = min(_BAR, width // 4)
    bar = progress_bar(task.counts, cells, ended=task.status.ended) if task.started_at else ()
    hosts = counts_line(task.counts, task.host_count, width - cells - 2)
    how_far = (*bar, Span("  "), *hosts) if bar else (Span("target ", Role.MUTED), _target(task))
    return (
        _title(task, now, width),
        how_far,
        *_rollout(task),
        *_waiting(task, now),
        *_origin(detail, width),
        *step_lines(detail.commands, width),
    )


def _origin(detail: TaskDetail, width: int) -> tuple[Spans, ...]:
    """The template that it was made from, the tasks that it repeats or that repeat it, and hosts
    that were left out; nothing if there is none of these."""
    parts = []
    if detail.task.template:
        parts.append(f"template {safe_line(str(detail.task.template))}")
    if detail.task.rerun_of:
        parts.append(f"re-run of #{detail.task.rerun_of}")
    if detail.reruns:
        parts.append(f"run again as {', '.join(f'#{number}' for number in detail.reruns)}")
    if detail.left_out:
        parts.append(f"left out: {safe_line(fold_names(detail.left_out))}")
    return ((Span(shorten("   ".join(parts), width), Role.MUTED),),) if parts else ()


def _title(task: Task, now: datetime, width: int) -> Spans:
    """A long name is shortened, and its state is not. Its author is left out without room."""
    number = Span(f"#{task.task_id} ", Role.MUTED)
    state = (Span("  "), task_glyph(task), Span(f" {_state(task, now)}"))
    by = (Span(f"by {author(task, by_schedule='schedule ')} ", Role.MUTED),)
    room = width - width_of((number, *state))
    if room - width_of(by) > _NAME_ENOUGH:
        room -= width_of(by) + 1
    name = Span(shorten(safe_line(task.name), max(_NAME_LEAST, room)), Role.STRONG)
    return justify((number, name, *state), by, width)


def _state(task: Task, now: datetime) -> str:
    state = task_state(task)
    passed, left = elapsed(task, now), remaining(task, now)
    if passed is None:
        return f"{state}, not started"
    if task.status is not TaskStatus.RUNNING:
        return f"{state} after {running_time(passed)}"
    return f"{state} {running_time(passed)}" + (
        f", about {running_time(left)} left" if left else ""
    )


def _rollout(task: Task) -> tuple[Spans, ...]:
    """`batch 2 of 3   4 hosts under way   8 wait   2 failed of at most 3`."""
    rollout = task.rollout
    if rollout is None:
        return ()
    parts = []
    if rollout.batches > 1:
        parts.append(Span(f"batch {rollout.batch:,} of {rollout.batches:,}   "))
    if not task.status.ended:
        under_way = count_of(rollout.hosts_under_way, "host")
        parts.append(Span(f"{under_way} under way   {rollout.hosts_waiting:,} waiting   "))
        if rollout.hosts_at_barrier:
            at_barrier = f"{rollout.hosts_at_barrier:,} at a barrier   "
            parts.append(Span(at_barrier, Role.CAUTION))
    allowed = "" if rollout.max_failures is None else f" of at most {rollout.max_failures:,}"
    if rollout.hosts_failed or allowed:
        role = Role.FAULT if rollout.hosts_failed else Role.PLAIN
        parts.append(Span(f"{rollout.hosts_failed:,} failed{allowed}", role))
    return (tuple(parts),) if parts else ()


def _waiting(task: Task, now: datetime) -> tuple[Spans, ...]:
    """What a paused or held task waits for, and what ends it."""
    if task.canceling or not task.waits:
        return ()
    held = f"on hold after batch {task.hold.batch:,}" if task.hold else ""
    if task.paused:
        text = f"paused and {held}" if held else "paused: nothing more is sent"
    else:
        text = held
        if task.hold is not None and task.hold.expires_at is not None:
            text += f": the rest is skipped in {age(task.hold.expires_at - now)}"
    keys = (Span("   p", Role.STRONG), Span(" goes on, "), Span("c", Role.STRONG), Span(" cancels"))
    return ((task_glyph(task), Span(f" {text}", Role.CAUTION), *keys),)


def _target(task: Task) -> Span:
    return Span(safe_line(task.target))
