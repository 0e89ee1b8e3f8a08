"""The steps of a task in the head of its screen: what each does, and how far it is. Pure."""

from collections.abc import Sequence

from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_spec.task_spec import HIDDEN, CommandSpec, StepKind
from tui_manager.domain.tasks.task import Command
from tui_manager.domain.text.number_format import timeout_text
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, fit, shorten, width_of
from tui_manager.ui.drawing.state_words_and_colours import command_glyph
from tui_manager.ui.drawing.step_words import rule_texts, step_text, transfer_texts
from tui_manager.ui.tasks.lists.all_tasks_table import short_counts

_SHOWN = 4  # steps
LINES_MOST = _SHOWN + 1  # of several steps; the last one counts the others
_TEXT_LEAST = 16  # cells of what a step runs
_NAME_MOST = 16  # cells of the name of a step
_GAP = "  "


def step_lines(
    steps: Sequence[Command], width: int, lines_most: int = LINES_MOST
) -> tuple[Spans, ...]:
    """One line for a single step. Of several, those where the task is now, each with its number,
    status, name and counts.

    Args:
        lines_most: at most so many lines.
    """
    if lines_most < 1:
        return ()
    if len(steps) == 1:
        return (_line(steps[0].spec, width, _kind_mark(steps[0].spec)),)
    count = min(len(steps), lines_most, _SHOWN)
    if count == lines_most < len(steps):
        count = max(1, lines_most - 1)  # the last line counts the others
    first = _first_shown(steps, count)
    shown = steps[first : first + count]
    names = max(width_of(_name(step, _NAME_MOST)) for step in shown)
    counts = max(width_of(_counts(step)) for step in shown)
    digits = len(str(shown[-1].index + 1))
    lines = [
        _line(
            step.spec,
            width,
            Span(f"#{step.index + 1:<{digits}} ", Role.MUTED),
            command_glyph(_shown_status(step)),
            Span(" "),
            *_column(_name(step, _NAME_MOST) or _text(step, names), names),
            *_column(_counts(step), counts),
        )
        for step in shown
    ]
    more = _more(first, len(steps) - first - count)
    if more and count < lines_most:
        lines.append((Span(f"   and {more}", Role.MUTED),))
    return tuple(lines)


def _shown_status(step: Command) -> CommandHostStatus:
    """A step that no host has begun waits, also while its task runs."""
    counts = step.counts
    waits = counts.total and counts.pending == counts.total
    return CommandHostStatus.PENDING if waits else step.status


def _first_shown(steps: Sequence[Command], count: int) -> int:
    """The first of `count` steps that are shown: one before the first that has not completed, or
    that one if there is room for one only."""
    open_steps = (step.index for step in steps if step.status is not CommandHostStatus.COMPLETED)
    before = 1 if count > 1 else 0
    return max(0, min(next(open_steps, 0) - before, len(steps) - count))


def _more(before: int, after: int) -> str:
    texts = ([f"{before} before"] if before else []) + ([f"{after} after"] if after else [])
    return ", ".join(texts)


def _column(cell: Spans, width: int) -> Spans:
    """Nothing if no step has something in it."""
    return (*fit(cell, width), Span(_GAP)) if width else BLANK


def _name(step: Command, width: int) -> Spans:
    name = shorten(safe_line(step.spec.name), width)
    return (Span(name, Role.STRONG),) if name else BLANK


def _text(step: Command, width: int) -> Spans:
    """What a step without a name runs, where others have their names."""
    return (Span(shorten(step_text(step.spec), width), Role.MUTED),) if width else BLANK


def _counts(step: Command) -> Spans:
    """`9✔ 2✘`; nothing before the start of the task."""
    return short_counts(step.counts)


def _kind_mark(spec: CommandSpec) -> Span:
    return Span("$ " if spec.kind is StepKind.RUN else "", Role.MUTED)


def _line(spec: CommandSpec, width: int, *before: Span) -> Spans:
    """A long text is shortened. Its rules, user, secrets, limits and timeout are not."""
    secrets = (f"{name}={HIDDEN}" for name in spec.secrets)
    stdin = (f"stdin {spec.stdin.size:,} bytes",) if spec.stdin else ()
    texts = (*rule_texts(spec), *transfer_texts(spec), *stdin, *spec.option_texts, *secrets)
    options = "".join(f"   {safe_line(text)}" for text in texts)
    how = Span(f"{options}   timeout {timeout_text(spec.timeout)}", Role.MUTED)
    room = max(_TEXT_LEAST, width - width_of((*before, how)))
    return (*before, Span(shorten(step_text(spec), room)), how)
