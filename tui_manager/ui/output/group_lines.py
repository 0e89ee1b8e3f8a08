"""The lines of the pane of groups. Pure."""

from collections.abc import Mapping, Sequence
from typing import Self

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.output.output_buffer import OutputLine
from tui_manager.domain.output.output_groups import Comparison, OutputGroup, compare
from tui_manager.domain.status import Stream
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.drawing.state_words_and_colours import STDERR, STDOUT

# What only the chosen group has is as little good as what it lacks is bad: no colour judges.
_MARKS = {"-": Role.MUTED, "+": Role.STRONG, " ": Role.MUTED}


@dataclass(frozen=True, slots=True)
class GroupText:
    """The beginning of what a group printed, and how many bytes more there are."""

    lines: Sequence[OutputLine]
    more: int

    @property
    def texts(self) -> Sequence[str]:
        """The lines as text."""
        return [line.text for line in self.lines]


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """How what a group printed differs from what the largest printed."""

    largest: GroupText
    text: GroupText
    found: Comparison

    @classmethod
    def between(cls, largest: GroupText, text: GroupText) -> Self:
        """Compares both. This can take some time."""
        return cls(largest, text, compare(largest.texts, text.texts))

    def is_between(self, largest: GroupText | None, text: GroupText | None) -> bool:
        """Whether it is about these two."""
        return self.largest is largest and self.text is text


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A line of the pane: of which group, what stands before the text, the text of a host. The head
    of a group has neither: `group_head` draws it when it is seen, as there may be thousands."""

    group: int
    before: Spans = ()
    text: str = ""
    head: bool = False


def group_lines(
    groups: Sequence[OutputGroup],
    chosen: int,
    texts: Mapping[str, GroupText],
    *,
    compares: bool = False,
    difference: GroupDifference | None = None,
) -> list[GroupLine]:
    """A head for each group, and below that of the chosen one its text.

    Args:
        texts: by the execution_id of a group, those that were read.
        compares: show how the chosen group differs from the largest of its command.
        difference: the one that was made last.
    """
    lines = []
    for number, group in enumerate(groups):
        lines.append(GroupLine(number, head=True))
        if number == chosen:
            largest = next(other for other in groups if other.command == group.command)
            body = _body(group, largest if compares else group, texts, difference)
            lines += [GroupLine(number, before, text) for before, text in body]
    return lines


def group_head(group: OutputGroup, *, chosen: bool, steps: bool = False) -> Spans:
    """The head of a group: how many hosts ended how, and their names.

    Args:
        chosen: it is open.
        steps: name the command.
    """
    step = f"#{group.command + 1}  " if steps else ""
    state = Role.FAULT if group.failed else Role.PLAIN
    mark = (Span(f" {STDERR.text}", STDERR.role),) if group.stderr else ()
    failed = (Span("✘ ", Role.FAULT),) if group.failed else ()
    return (
        Span("▾ " if chosen else "▸ ", Role.STRONG),
        *failed,
        Span(step + count_of(len(group.hosts), "host"), Role.STRONG),
        Span(f"  {group.state}" if group.state else "", state),
        *mark,
        Span(f"  {safe_line(group.folded)}", Role.MUTED),
    )


def _body(
    group: OutputGroup,
    other: OutputGroup,
    texts: Mapping[str, GroupText],
    difference: GroupDifference | None,
) -> list[tuple[Spans, str]]:
    text, base = texts.get(group.execution_id), texts.get(other.execution_id)
    if text is None or base is None:
        return [(_note("reading…"), "")]
    if other is not group:
        if difference is None or not difference.is_between(base, text):
            return [(_note("comparing…"), "")]
        return _compared(difference)
    lines: list[tuple[Spans, str]] = []
    for line in text.lines:
        bar = STDERR if line.stream is Stream.STDERR else STDOUT
        lines.append(((Span("  "), bar, Span(" ")), line.text))
    if not text.lines:
        lines.append(((Span("  No output.", Role.MUTED),), ""))
    if text.more:
        lines.append((_note(f"{size(text.more)} more not shown here"), ""))
    return lines


def _compared(difference: GroupDifference) -> list[tuple[Spans, str]]:
    found = difference.found
    lines: list[tuple[Spans, str]] = [
        ((Span(f"  {sign} ", _MARKS[sign]),), line) for sign, line in found.lines
    ]
    if found.left_out:
        left_out = count_of(found.left_out, "more line")
        note = f"only the first {found.compared:,} lines of each compared, {left_out} not"
        lines.append((_note(note), ""))
    if more := difference.largest.more + difference.text.more:
        lines.append((_note(f"{size(more)} more not read, and not compared line by line"), ""))
    return lines


def _note(text: str) -> Spans:
    return (Span(f"  … {text}", Role.CAUTION),)
