"""What the screen shows of the selected template or schedule. Pure."""

from datetime import datetime
from itertools import islice

from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.schedule import ScheduleDetail
from tui_manager.domain.task_file import TaskFile
from tui_manager.domain.task_parameters import Parameter
from tui_manager.domain.task_spec import TaskSpec
from tui_manager.domain.template import TemplateDetail
from tui_manager.ui.drawing.number_format import since
from tui_manager.ui.drawing.schedule_words import due_texts, head_line, source_text, wrap_parts
from tui_manager.ui.drawing.spans import Role, Span, Spans, shorten, spans, wrap
from tui_manager.ui.drawing.step_words import rule_texts, step_text

_TEXT_LINES = 400  # of a task file that are shown
_LINE_WIDTH = 1000  # characters of one of its lines
_STEPS = 3  # of a schedule's own task
_VERSIONS = 5
_NAME_WIDTH = 24  # cells of the name of a parameter
_LABEL = 12  # cells


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
    detail: ScheduleDetail, own: TaskFile | None, now: datetime, width: int
) -> tuple[Spans, ...]:
    """Its rule, its problem, what it runs, and when it is due next, which may be cut off.

    Args:
        own: its own task; None: it has a template, or the task cannot be read.
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
        _labelled("runs", Span(shorten(source_text(spec), width - _LABEL))),
        *(_own_steps(own.spec, width) if own else ()),
        *_next(detail, now, width),
    )  # fmt: skip


def _own_steps(spec: TaskSpec, width: int) -> tuple[Spans, ...]:
    """The target and the first steps of a task of its own."""
    target = shorten(safe_line(spec.target), width - _LABEL - len("on "))
    lines = [_labelled("", Span(f"on {target}"))]
    for step in spec.commands[:_STEPS]:
        rules = "".join(f"   {rule}" for rule in rule_texts(step))
        text = shorten(step_text(step), width - _LABEL - len(rules))
        lines.append(_labelled("", Span(text), Span(rules, Role.MUTED)))
    if (more := len(spec.commands) - _STEPS) > 0:
        lines.append(_labelled("", Span(f"and {more} more steps", Role.MUTED)))
    return tuple(lines)


def _next(detail: ScheduleDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    """The next due times, or why there is none."""
    if detail.schedule.paused:
        paused = Span("paused: nothing is due until p resumes it", Role.CAUTION)
        return (_labelled("next", paused),)
    if not detail.due:
        return (_labelled("next", Span("never: this date does not come", Role.CAUTION)),)
    texts = due_texts(detail.due, detail.schedule.spec.zone, now)
    return tuple(
        _labelled("" if number else "next", Span(line))
        for number, line in enumerate(wrap_parts(texts, width - _LABEL))
    )


def _labelled(label: str, *line: Span) -> Spans:
    return (Span(f"{label:<{_LABEL}}", Role.MUTED), *line)
