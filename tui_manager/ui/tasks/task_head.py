"""The head of the screen of a task: its name, state, progress and commands. Pure."""

from datetime import datetime

from tui_manager.domain.host_name_ranges import fold_names
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task import Command, Task, TaskDetail
from tui_manager.domain.task_spec import HIDDEN
from tui_manager.ui.drawing.number_format import (
    age,
    count_of,
    progress_bar,
    running_time,
    timeout_text,
)
from tui_manager.ui.drawing.spans import Role, Span, Spans, justify, shorten, width_of
from tui_manager.ui.drawing.state_glyphs_and_words import command_glyph, task_glyph, task_state
from tui_manager.ui.tasks.task_table import counts_line, elapsed, remaining

_BAR = 24  # cells
_NAME_LEAST = 8  # cells of a name
_COMMANDS = 4  # that are shown
_TEXT_LEAST = 20  # cells of a command's text


def task_head(detail: TaskDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    """Three lines, and one each for a rollout, for what a task waits for, for other tasks, and for
    each further command."""
    task = detail.task
    cells = min(_BAR, width // 4)
    bar = progress_bar(task.counts, cells, ended=task.status.ended) if task.started_at else ()
    hosts = counts_line(task.counts, task.host_count, width - cells - 2)
    how_far = (*bar, Span("  "), *hosts) if bar else (Span("target ", Role.MUTED), _target(task))
    return (
        justify(
            _name(task, now, width), (Span(f"by {safe_line(task.created_by)} ", Role.MUTED),), width
        ),
        how_far,
        *_rollout(task),
        *_waiting(task, now),
        *_other_tasks(detail, width),
        *_commands(detail.commands, width),
    )


def _other_tasks(detail: TaskDetail, width: int) -> tuple[Spans, ...]:
    """The tasks that it repeats or that repeat it, and hosts that were left out; nothing if there
    are neither."""
    parts = []
    if detail.task.rerun_of:
        parts.append(f"re-run of #{detail.task.rerun_of}")
    if detail.reruns:
        parts.append(f"run again as {', '.join(f'#{number}' for number in detail.reruns)}")
    if detail.left_out:
        parts.append(f"left out: {safe_line(fold_names(detail.left_out))}")
    return ((Span(shorten("   ".join(parts), width), Role.MUTED),),) if parts else ()


def _name(task: Task, now: datetime, width: int) -> Spans:
    """A long name is shortened, and its state is not."""
    number = Span(f"#{task.task_id} ", Role.MUTED)
    state = (Span("  "), task_glyph(task), Span(f" {_state(task, now)}"))
    room = max(_NAME_LEAST, width - width_of((number, *state)))
    return (number, Span(shorten(safe_line(task.name), room), Role.STRONG), *state)


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


def _commands(commands: tuple[Command, ...], width: int) -> tuple[Spans, ...]:
    if len(commands) == 1:
        return (_command(commands[0], width, Span("$ ", Role.MUTED)),)
    lines = [
        _command(
            command,
            width,
            Span(f"#{command.index + 1} ", Role.MUTED),
            command_glyph(command.status),
            Span(" "),
        )
        for command in commands[:_COMMANDS]
    ]
    if (more := len(commands) - _COMMANDS) > 0:
        lines.append((Span(f"   and {more} more", Role.MUTED),))
    return tuple(lines)


def _command(command: Command, width: int, *before: Span) -> Spans:
    """A long text is shortened. Its user, secrets, limits and timeout are not."""
    spec = command.spec
    secrets = (f"{name}={HIDDEN}" for name in spec.secrets)
    options = "".join(f"   {safe_line(text)}" for text in (*spec.option_texts, *secrets))
    how = Span(f"{options}   timeout {timeout_text(spec.timeout)}", Role.MUTED)
    room = max(_TEXT_LEAST, width - width_of((*before, how)))
    return (*before, Span(shorten(safe_line(spec.text.strip()), room)), how)
