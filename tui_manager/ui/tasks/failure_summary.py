"""The failures of a task by their cause: in a few lines, or in the row of a list. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len

from tui_manager.domain.presentation.state_words import cause_words
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.common_label import CommonLabel
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.tasks.task_map import SUMMED_FAILURES, FailureGroup
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, shorten, width_of
from tui_manager.ui.drawing.state_words_and_colours import command_glyph

# Behind a number of hosts.
_IN_SHORT = {
    Reason.UNDELIVERABLE: "unreachable",
    Reason.REJECTED: "refused",
    Reason.SPAWN_FAILED: "not started",
    Reason.AGENT_LOST: "lost",
    Reason.AGENT_STATE_LOST: "reset",
    Reason.INTERRUPTED: "interrupted",
    Reason.TRANSFER_FAILED: "transfer failed",
    Reason.UPDATE_FAILED: "update failed",
    Reason.TIMEOUT: "timed out",
    Reason.CANCEL_UNCONFIRMED: "without proof",
    Reason.BUDGET_SPENT: "over the budget",
    Reason.HOLD_EXPIRED: "held too long",
    Reason.MAINTENANCE: "in maintenance",
}
_NAMES_LEAST = 12  # cells
_GAP = "   "


def failure_lines(groups: Sequence[FailureGroup], width: int, lines: int) -> tuple[Spans, ...]:
    """`✘ exit 4: 12 hosts web[01-12]`, a cause a line, or all in one line. What has no room is
    counted.

    Args:
        lines: at most so many.
    """
    if not groups or lines < 1:
        return ()
    if lines == 1:
        return (_in_one_line(groups, width),)
    shown = groups if len(groups) <= lines else groups[: lines - 1]
    drawn = [_group(group, width) for group in shown]
    if more := groups[len(shown) :]:
        drawn.append((Span(_more(more), Role.MUTED),))
    return tuple(drawn)


def _in_one_line(groups: Sequence[FailureGroup], width: int) -> Spans:
    line: Spans = ()
    for place, group in enumerate(groups):
        gap = (Span(_GAP),) if line else ()
        rest = groups[place + 1 :]
        kept = width_of((*line, *gap)) + (len(_GAP + _more(rest)) if rest else 0)
        room = width - kept
        if line and room < width_of(_cause(group)):
            return (*line, *gap, Span(_more(groups[place:]), Role.MUTED))
        line = (*line, *gap, *_group(group, room))
    return line


def _more(groups: Sequence[FailureGroup]) -> str:
    return f"and {count_of(len(groups), 'more cause')}"


def _cause(group: FailureGroup) -> Spans:
    glyph = command_glyph(group.status)
    role = Role.CAUTION if group.status is CommandHostStatus.SKIPPED else Role.FAULT
    return (
        Span(glyph.text, glyph.role),
        Span(f" {cause_words(group)}: ", role),
        Span(count_of(group.hosts, "host")),
    )


def _group(group: FailureGroup, width: int) -> Spans:
    cause = _cause(group)
    names = safe_line(group.names) + (",…" if group.hosts > group.named else "")
    label = _label(group.label)
    if width_of((*cause, *label)) <= width:
        cause = (*cause, *label)
    room = width - width_of(cause) - 1
    if room < min(_NAMES_LEAST, len(names)):
        return cause
    return (*cause, Span(f" {_cut_names(names, room)}", Role.MUTED))


def _label(label: CommonLabel | None) -> Spans:
    """`, all in zone=eu`, `, all in zone=eu as 2 of 80 others`."""
    if label is None:
        return BLANK
    others = f" as {label.elsewhere:,} of {label.others:,} others" if label.elsewhere else ""
    return (Span(", all in "), Span(safe_line(label.text), Role.STRONG), Span(others))


def _cut_names(names: str, width: int) -> str:
    """Folded names, cut behind a comma: a number that is cut reads as another one."""
    if cell_len(names) <= width:
        return names
    cut = shorten(names, width).removesuffix("…")
    return cut[: cut.rfind(",") + 1] + "…"


def failure_words(task: Task, groups: Sequence[FailureGroup], width: int) -> str:
    """`exit 3 on 2, 1 unreachable`: why a task has failed, the largest group first. With less room
    `exit 3, unreachable`, then `…` for the last groups, then nothing. A group with a `+`
    has at least so many hosts."""
    if not task.counts.faults:
        return ""
    alone = task.host_count == 1
    counted = [_in_short(group, _plus(task, group), alone=alone) for group in groups]
    causes = [_in_short(group, "", alone=True) for group in groups]
    forms = [
        _joined(parts, shown) for shown in range(len(groups), 0, -1) for parts in (counted, causes)
    ]
    return next((form for form in forms if cell_len(form) <= width), "")


def _plus(task: Task, group: FailureGroup) -> str:
    """`+` if more commands may have failed in this way than were looked at."""
    if task.counts.faults <= SUMMED_FAILURES:
        return ""
    return "+" if group.hosts * task.counts.total >= SUMMED_FAILURES * task.host_count else ""


def _joined(parts: Sequence[str], shown: int) -> str:
    return ", ".join([*parts[:shown], *(["…"] if shown < len(parts) else [])])


def _in_short(group: FailureGroup, plus: str, *, alone: bool) -> str:
    if group.reason in (Reason.EXIT_CODE, Reason.SIGNAL):
        words = cause_words(group)
        return words if alone else f"{words} on {group.hosts:,}{plus}"
    words = _IN_SHORT.get(group.reason, str(group.status))
    return words if alone else f"{group.hosts:,}{plus} {words}"
