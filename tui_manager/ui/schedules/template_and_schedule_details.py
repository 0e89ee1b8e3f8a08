"""What the screen shows of the selected template or schedule. Pure."""

from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice

from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import ScheduleDetail, ScheduleSpec
from tui_manager.domain.task_files.task_file import TaskFile
from tui_manager.domain.task_files.template import TemplateDetail
from tui_manager.domain.task_spec.task_parameters import Parameter
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.number_format import count_of, since
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import DEFAULT_KEYS, KeyMap
from tui_manager.ui.drawing.schedule_words import due_texts, head_line, source_text, wrap_parts
from tui_manager.ui.drawing.spans import Role, Span, Spans, shorten, spans, wrap
from tui_manager.ui.drawing.step_words import rule_texts, step_text
from tui_manager.ui.key_bindings import key_of

_TEXT_LINES = 400  # of a task file that are shown
_LINE_WIDTH = 1000  # characters of one of its lines
_STEPS = 3  # of the task of a schedule
_VERSIONS = 5
_NAME_WIDTH = 24  # cells of the name of a parameter
_LABEL = 12  # cells
_DAY = timedelta(hours=24)
_HOURS, _DAY_CELLS = 24, 96  # cells of a day: one an hour, at most one a quarter of an hour


def template_lines(
    detail: TemplateDetail, task_file: TaskFile | None, now: datetime, width: int
) -> tuple[Spans, ...]:
    """Description, parameters, versions, schedules, then its text.

    Args:
        task_file: what its text says; None: it cannot be read.
    """
    lines: list[Spans] = []
    if detail.template.description:
        description = safe_line(detail.template.description)
        lines += [spans(line) for line in wrap(description, width)]
    for number, parameter in enumerate(task_file.parameters if task_file else ()):
        lines.append(_labelled("" if number else "parameters", *_parameter(parameter)))
    versions = ", ".join(
        f"@{one.version} {safe_line(one.saved_by)} {since(one.saved_at, now)} ago"
        for one in detail.versions[:_VERSIONS]
    )
    more = len(detail.versions) - _VERSIONS
    versions += f", and {more} more" if more > 0 else ""
    lines.append(_labelled("versions", Span(shorten(versions, width - _LABEL))))
    if detail.schedules:
        names = safe_line(", ".join(detail.schedules))
        lines.append(_labelled("schedules", Span(shorten(names, width - _LABEL))))
    return (*lines, (), *_text(detail))


def _text(detail: TemplateDetail) -> tuple[Spans, ...]:
    """The first lines of its task file."""
    text = detail.text
    head = text[: _TEXT_LINES * _LINE_WIDTH].split("\n")
    lines = [spans(safe_line(line[:_LINE_WIDTH])) for line in islice(head, _TEXT_LINES)]
    if len(head) > _TEXT_LINES or len(text) > _TEXT_LINES * _LINE_WIDTH:
        name = safe_line(f"{detail.template.name}@{detail.version}")
        command = f"tui-manager template export {name}"
        lines.append((Span(f"… `{command}` prints all of it.", Role.MUTED),))
    return tuple(lines)


def _parameter(parameter: Parameter) -> Spans:
    """`LEVEL  one of: low, high, default low   how much`."""
    default = f", default {parameter.default!r}" if parameter.default is not None else ""
    needed = ", optional" if not parameter.required and parameter.default is None else ""
    return (
        Span(shorten(safe_line(parameter.name), _NAME_WIDTH), Role.STRONG),
        Span(safe_line(f"  {parameter.form}{default}{needed}")),
        Span(safe_line(f"   {parameter.help}") if parameter.help else "", Role.MUTED),
    )


def schedule_lines(
    detail: ScheduleDetail,
    task: TaskFile | None,
    now: datetime,
    width: int,
    keys: KeyMap = DEFAULT_KEYS,
) -> tuple[Spans, ...]:
    """Its rule, its problem, when it is due next, and what it runs; then a line of the next day,
    which may be cut off.

    Args:
        task: its own task, or that of its template; None: it cannot be read.
    """
    schedule = detail.schedule
    spec = schedule.spec
    misfire = format_duration(spec.misfire)
    rules = f"   overlap {spec.overlap}   misfire {misfire}   by {safe_line(schedule.created_by)}"
    problem = wrap(safe_line(schedule.problem), width - 2) if schedule.problem else ()
    return (
        (*head_line(schedule), Span(rules, Role.MUTED)),
        *((Span("✘ " if not number else "  ", Role.FAULT), Span(line, Role.FAULT))
          for number, line in enumerate(problem)),
        *_next(detail, now, width, keys),
        *_source(spec, task, width),
        *(_task_lines(task.spec, spec, width) if task else ()),
        *day_line(detail, now, width),
    )  # fmt: skip


def _source(spec: ScheduleSpec, task: TaskFile | None, width: int) -> tuple[Spans, ...]:
    """Its template with values. A task of its own shows its commands instead."""
    if spec.template is None and task is not None:
        return ()
    return (_labelled("runs", Span(shorten(source_text(spec), width - _LABEL))),)


def _task_lines(task: TaskSpec, schedule: ScheduleSpec, width: int) -> tuple[Spans, ...]:
    """Target, rollout, and the first steps with their timeouts."""
    target = (schedule.template.target if schedule.template else "") or task.target
    rollout = "; ".join(task.rollout.texts)
    more = ", also hosts in maintenance" if task.include_maintenance else ""
    room = width - _LABEL
    lines = [
        _labelled("on", Span(shorten(f"{safe_line(target)}{more}", room))),
        *((_labelled("rollout", Span(shorten(safe_line(rollout), room))),) if rollout else ()),
    ]
    for number, step in enumerate(task.commands[:_STEPS]):
        rules = f"   timeout {format_duration(step.timeout)}"
        rules += "".join(f"   {rule}" for rule in rule_texts(step))
        text = shorten(step_text(step), room - len(rules))
        label = "" if number else "steps" if len(task.commands) > 1 else "command"
        lines.append(_labelled(label, Span(text), Span(rules, Role.MUTED)))
    if (left := len(task.commands) - _STEPS) > 0:
        lines.append(_labelled("", Span(f"and {count_of(left, 'more step')}", Role.MUTED)))
    return tuple(lines)


def day_line(detail: ScheduleDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    """The next 24 hours with a mark at each due time, and the clock below. Nothing if it is not due
    in that time."""
    cells = min(_DAY_CELLS, width - _LABEL)
    spec = detail.schedule.spec
    if detail.schedule.paused or not detail.due or detail.due[0] >= now + _DAY or cells < _HOURS:
        return ()
    try:
        line = _marks(spec.cron, spec.zone, now.replace(second=0, microsecond=0), cells)
    except InvalidInputError:  # a zone that only the manager's machine knows
        return ()
    clock = [" "] * (cells + len("00:00"))
    for part in range(4):
        at_hour = f"{(now + _DAY * part / 4).astimezone(now.tzinfo):%H:%M}"
        place = cells * part // 4
        clock[place : place + len(at_hour)] = at_hour
    return (
        _labelled("24 hours", Span(line, Role.ACTIVE)),
        _labelled("", Span("".join(clock).rstrip(), Role.MUTED)),
    )


@lru_cache(maxsize=16)  # it is drawn each second, and is another one each minute
def _marks(expression: str, zone: str, begin: datetime, cells: int) -> str:
    """A day from `begin` on, `╋` for a cell in which it is due. Raises InvalidInputError."""
    cron, line = read_cron(expression, zone), ["─"] * cells
    at = cron.next_due(begin)
    while at is not None and at < begin + _DAY:
        cell = int((at - begin) / _DAY * cells)
        line[cell] = "╋"
        at = cron.next_due(begin + _DAY * (cell + 1) / cells - timedelta(microseconds=1))
    return "".join(line)


def _next(detail: ScheduleDetail, now: datetime, width: int, keys: KeyMap) -> tuple[Spans, ...]:
    """The next due times, or why there is none."""
    if detail.schedule.paused:
        text = f"paused: nothing is due until {key_of('pause_schedule', keys)} resumes it"
        return (_labelled("next", Span(text, Role.CAUTION)),)
    if not detail.due:
        return (_labelled("next", Span("never: this date does not come", Role.CAUTION)),)
    texts = due_texts(detail.due, detail.schedule.spec.zone, now)
    return (_labelled("next", Span(wrap_parts(texts, width - _LABEL)[0])),)


def _labelled(label: str, *line: Span) -> Spans:
    return (Span(f"{label:<{_LABEL}}", Role.MUTED), *line)
