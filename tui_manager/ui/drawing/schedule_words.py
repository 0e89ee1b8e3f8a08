"""What schedules and their due times are called on the screen. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tui_manager.domain.schedules.schedule import Schedule, ScheduleRun, ScheduleSpec, SkipReason
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.text.number_format import age
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.drawing.state_words_and_colours import (
    EXCLUDED,
    FAULT,
    PAUSED,
    PENDING,
    SKIPPED,
    command_glyph,
)

_SKIPPED = {
    SkipReason.OVERLAP: "the task before had not ended",
    SkipReason.MISFIRE: "missed by too long",
    SkipReason.STOPPED: "the manager did not run",
    SkipReason.PAUSED: "the schedule was paused",
    SkipReason.CLOCK: "the clock had jumped",
    SkipReason.REFUSED: "the task could not start",
}


def schedule_glyph(schedule: Schedule) -> Span:
    """The state of a schedule in one cell: a problem, paused, never due again, or it waits."""
    if schedule.problem:
        return FAULT
    if schedule.paused:
        return PAUSED
    return PENDING if schedule.next else EXCLUDED


def next_text(schedule: Schedule, now: datetime, width: int) -> str:
    """`in 3h  28 Nov 02:00`, without the time if it does not fit; or why it is not due."""
    if schedule.paused:
        return "paused"
    if schedule.next is None:
        return "never"
    words = until(schedule.next, now)
    text = f"{words:<7} {moment(schedule.next, now)}"
    return text if len(text) <= width else words


def until(at: datetime, now: datetime) -> str:
    """`in 3h`, or `now`."""
    return f"in {age(at - now)}" if at > now else "now"


def moment(at: datetime, now: datetime) -> str:
    """A day and a time in the zone of `now`; the year if it is another one."""
    local = at.astimezone(now.tzinfo)
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local:%a} {local.day:>2} {local:%b}{year} {local:%H:%M}"


def due_texts(due: Sequence[datetime], zone: str, now: datetime) -> list[str]:
    """`Sat 28 Nov 02:00 (03:00 there) in 3h`, then `Sun 29 Nov 02:00 (03:00)`. In brackets is the
    time of the zone, if its clock is another one."""
    texts: list[str] = []
    for at in due:
        here = at.astimezone(now.tzinfo)
        there = _in_zone(here, zone)
        clock = f"{there:%H:%M}{'' if texts else ' there'}"
        other = "" if here.utcoffset() == there.utcoffset() else f" ({clock})"
        texts.append(f"{moment(at, now)}{other}{'' if texts else f' {until(at, now)}'}")
    return texts


def _in_zone(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except (KeyError, OSError, ValueError):  # the manager's machine knows it, and this one does not
        return at


def wrap_parts(parts: Sequence[str], width: int) -> list[str]:
    """The parts in lines of at most `width` cells, three blanks between two of them."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return lines


def run_glyph(run: ScheduleRun, status: TaskStatus | None) -> Span:
    """What became of a due time, in one cell."""
    if run.skipped:
        return SKIPPED
    if status is not None:
        return command_glyph(status)
    return PENDING if run.decided_at is None else Span(" ")


def run_words(run: ScheduleRun, status: TaskStatus | None) -> Span:
    """`#58 completed`, or why nothing ran.

    Args:
        status: of its task; None: it has none, or this is not there any more.
    """
    if run.skipped:
        several = f"{run.count:,} due times: " if run.count > 1 else ""
        return Span(f"{several}{_SKIPPED[run.skipped]}", Role.CAUTION)
    if run.task_id:
        text = f"#{run.task_id} {status or 'removed'}"
        return Span(text, Role.FAULT if status is TaskStatus.FAILED else Role.PLAIN)
    return Span("waits for the task before", Role.MUTED)


def source_text(spec: ScheduleSpec) -> str:
    """What it runs: `template restart@3 on role=web with LEVEL=high`, or that it has a task of its
    own."""
    use = spec.template
    if use is None:
        return "a task of its own"
    version = f"@{use.version}" if use.version else ""
    target = f" on {use.target}" if use.target else ""
    values = " ".join(f"{name}={value}" for name, value in use.parameters.items())
    return safe_line(f"template {use.name}{version}{target}{' with ' if values else ''}{values}")


def head_line(schedule: Schedule) -> Spans:
    """Its rule in one line."""
    spec = schedule.spec
    return (
        schedule_glyph(schedule),
        Span(f" {safe_line(spec.name)}", Role.STRONG),
        Span(f"   {safe_line(spec.cron)}   {safe_line(spec.zone)}"),
    )
