"""The output of a task by groups of hosts with the same output. The chosen group is open."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.number_format import count_of, size
from tui_manager.ui.drawing.span_widgets import InstantScroll, SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.colour_and_wrap_lines import crop, segments
from tui_manager.ui.output.output_groups import (
    COMPARED,
    Comparison,
    OutputGroup,
    OutputGroups,
    compare,
)
from tui_manager.ui.terminal.closable import while_open

_MARKS = {"-": Role.FAULT, "+": Role.GOOD, " ": Role.MUTED}

# A line: the number of its group, the spans before the text, and the text of the host.
_Line = tuple[int, Spans, str]


def group_notes(group: OutputGroup) -> tuple[Sequence[Spans], Sequence[Spans]]:
    """The notes above and below the lines of a group that are kept."""
    above = [_note(f"{count_of(group.dropped, 'earlier line')} not kept here")]
    below = [_note(f"{size(group.unshown)} more not shown here; hosts of a group have the same")]
    return above if group.dropped else (), below if group.unshown else ()


def comparison_notes(
    found: Comparison, largest: OutputGroup, group: OutputGroup
) -> Sequence[Spans]:
    """The notes below two outputs that are not compared to their ends."""
    notes = []
    if found.left_out:
        left_out = count_of(found.left_out, "more line")
        notes.append(_note(f"only the first {COMPARED:,} lines of each compared, {left_out} not"))
    if unshown := largest.unshown + group.unshown:
        notes.append(_note(f"{size(unshown)} more not kept here, and not compared line by line"))
    return notes


def _note(text: str) -> Spans:
    return (Span(f"  … {text}", Role.CAUTION),)


class GroupsPane(SpanWidget, InstantScroll, can_focus=True):
    """Groups, the largest first."""

    PANE = Pane.GROUPS

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", show=False),
        Binding("down,j", "choose(1)", show=False),
    ]

    def __init__(self, link: Link, task_id: int, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self.task_id = task_id
        self.groups: list[OutputGroup] = []
        self.chosen = 0
        self.compares = False
        self.steps = False
        self._gathered = OutputGroups()
        self._after = 0
        self._stale = self._reading = False
        self._lines: list[_Line] = []

    def poll(self) -> None:
        """Reads new output if the pane is seen."""
        self._stale = True
        if self.display and not self._reading:
            self._reading = True
            self._read()

    @while_open("groups")
    async def _read(self) -> None:
        try:
            while self._stale:
                self._stale = False
                while chunks := await self.link.operator.follow_output(self.task_id, self._after):
                    self._after = chunks[-1].position
                    self._gathered.feed(chunks)
                self._regroup()
        finally:
            self._reading = False

    def _regroup(self) -> None:
        """The chosen group is the one that now has its first host."""
        host = self.groups[self.chosen].hosts[0] if self.groups else ""
        command = self.groups[self.chosen].command if self.groups else 0
        self.groups = self._gathered.groups()
        self.chosen = next(
            (
                number
                for number, group in enumerate(self.groups)
                if group.command == command and host in group.hosts
            ),
            0,
        )
        self._lay_out()

    def action_choose(self, step: int) -> None:
        """Opens a group above or below."""
        if self.groups:
            self.chosen = max(0, min(self.chosen + step, len(self.groups) - 1))
            self._lay_out()
            at = next(n for n, line in enumerate(self._lines) if line[0] == self.chosen)
            self.scroll_to_region(Region(0, at, 1, 6), force=True)

    def toggle_compare(self) -> None:
        """Shows how the chosen group differs from the largest, or its output."""
        self.compares = not self.compares
        self._lay_out()

    def _lay_out(self) -> None:
        self._lines = []
        for number, group in enumerate(self.groups):
            mark = "▾ " if number == self.chosen else "▸ "
            step = f"#{group.command + 1}  " if self.steps else ""
            head = (
                Span(mark, Role.STRONG),
                Span(step + count_of(len(group.hosts), "host"), Role.STRONG),
                Span(f"  {group.folded}", Role.MUTED),
            )
            self._lines.append((number, head, ""))
            if number == self.chosen:
                self._lines += self._body_lines(number, group)
        self.virtual_size = Size(self.scrollable_size.width, len(self._lines))
        title = Text("Output  ", style="bold")
        title.append(count_of(len(self.groups), "group"), style="not bold")
        title.append("  compared with the largest" if self.compares else "", style="not bold")
        self.set_title(title)
        self.refresh()

    def _body_lines(self, number: int, group: OutputGroup) -> list[_Line]:
        largest = next(other for other in self.groups if other.command == group.command)
        if self.compares and largest is not group:
            found = compare(largest.lines, group.lines)
            return [
                *(
                    (number, (Span(f"  {sign} ", _MARKS[sign]),), line)
                    for sign, line in found.lines
                ),
                *((number, note, "") for note in comparison_notes(found, largest, group)),
            ]
        above, below = group_notes(group)
        return [
            *((number, note, "") for note in above),
            *((number, (Span("  │ ", Role.MUTED),), line) for line in group.lines),
            *((number, note, "") for note in below),
        ]

    def on_resize(self) -> None:
        """Lines are cut at the width."""
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        """Opens the group under the mouse."""
        if (offset := event.get_content_offset(self)) is not None:
            row = int(self.scroll_offset.y) + offset.y
            if row < len(self._lines):
                self.action_choose(self._lines[row][0] - self.chosen)

    def render_line(self, y: int) -> Strip:
        """The first line of a group, or a line of its output."""
        base, width = self.rich_style, self.size.width
        row = int(self.scroll_offset.y) + y
        if not self._lines and y == 1:
            empty = (Span("  No output yet.", Role.MUTED),)
            return self.strip(self.paint(empty, base), width, base)
        if row >= len(self._lines):
            return Strip.blank(width, base)
        number, before, text = self._lines[row]
        if number == self.chosen and not text and before[0].text == "▾ ":
            base += self.get_component_rich_style("row--cursor", partial=True)
        room = max(1, self.scrollable_size.width - sum(len(span.text) for span in before))
        runs = crop(segments(text), room) if text else []
        painted = [Segment(run.text, base + (run.style or Style.null())) for run in runs]
        return self.strip(self.paint(before, base) + painted, width, base)
