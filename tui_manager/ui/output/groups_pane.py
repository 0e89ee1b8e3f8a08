"""The output of a task by groups of hosts with the same output. The chosen group is open."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.output.output_buffer import OutputBuffer
from tui_manager.domain.output.output_groups import OutputGroup, OutputGroups
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.span_widgets import InstantScroll, SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, width_of
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.colour_and_wrap_lines import crop, segments
from tui_manager.ui.output.group_lines import (
    GroupDifference,
    GroupLine,
    GroupText,
    group_head,
    group_lines,
)
from tui_manager.ui.terminal.closable import while_open

SHOWN = 64 * 1024  # bytes of a group that are read to be shown, about
_READ = 1 << 20  # bytes of one answer
_READ_MASKED = 128 * 1024  # fewer: numbers are masked while no key is handled
_CHOOSES = {"up": -1, "k": -1, "down": 1, "j": 1}
_PAUSE = 1.0  # seconds between two reads of the states of more hosts than one page has


class GroupsPane(SpanWidget, InstantScroll, can_focus=True):
    """Groups, the largest first."""

    PANE = Pane.GROUPS

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"choose({step})", show=False) for key, step in _CHOOSES.items()),
    ]

    def __init__(self, link: Link, task_id: int, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self.task_id = task_id
        self.groups: list[OutputGroup] = []
        self.chosen = 0
        self.compares = self.failed_only = self.steps = False
        self._gathered = OutputGroups()
        self._texts: dict[str, GroupText] = {}
        self._sizes: dict[str, int] = {}  # of the output when its text was read
        self._difference: GroupDifference | None = None  # that was made last
        self._after = 0
        self._stale = self._reading = False
        self._behind = True  # not all output was read
        self._lines: list[GroupLine] = []

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
                gathered = self._gathered
                self._behind = True
                while gathered is self._gathered and (chunks := await self._next()):
                    self._after = chunks[-1].position
                    gathered.feed(chunks)
                    self._retitle()
                if gathered is not self._gathered:
                    continue
                hosts = await self._read_states(gathered)
                self._behind = False
                await self._regroup()
                if hosts > LIMIT_MAX:
                    await asyncio.sleep(_PAUSE)
        finally:
            self._reading = False

    async def _next(self) -> Sequence[OutputChunk]:
        limit = _READ_MASKED if self._gathered.masks else _READ
        return await self.link.operator.follow_output(self.task_id, self._after, limit=limit)

    async def _read_states(self, gathered: OutputGroups) -> int:
        """Reads how all commands have ended. Returns how many there are."""
        offset = 0
        while True:
            window = Window(sort="host", offset=offset, limit=LIMIT_MAX)
            page = await self.link.operator.list_command_hosts(self.task_id, window)
            gathered.set_states(page.rows)
            offset += len(page.rows)
            if not page.rows or offset >= page.matching:
                return offset

    async def _regroup(self) -> None:
        """The chosen group is the one that now has its first host."""
        before = self.groups[self.chosen] if self.chosen < len(self.groups) else None
        self.groups = self._gathered.groups(failed_only=self.failed_only)
        self.chosen = next(
            (
                number
                for number, group in enumerate(self.groups)
                if before and group.command == before.command and before.hosts[0] in group.hosts
            ),
            0,
        )
        self._lay_out()
        await self._read_texts()

    async def _read_texts(self) -> None:
        """Reads what the chosen group has printed, and the largest if they are compared."""
        if not self.groups:
            return
        chosen = self.groups[self.chosen]
        largest = next(group for group in self.groups if group.command == chosen.command)
        for group in (chosen, largest):
            key = group.execution_id
            if self._sizes.get(key) != group.size:
                self._texts[key] = await self._read_text(group)
                self._sizes[key] = group.size
        kept = (chosen.execution_id, largest.execution_id)
        self._texts = {key: text for key, text in self._texts.items() if key in kept}
        self._sizes = {key: of for key, of in self._sizes.items() if key in kept}
        self._lay_out()
        if self.compares and chosen is not largest:
            await self._compare(*(self._texts[key] for key in reversed(kept)))

    async def _compare(self, largest: GroupText, text: GroupText) -> None:
        """Compares two texts in a thread, so that keys are handled meanwhile."""
        if self._difference is None or not self._difference.is_between(largest, text):
            made = await asyncio.to_thread(GroupDifference.between, largest, text)
            self._difference = made
            self._lay_out()

    async def _read_text(self, group: OutputGroup) -> GroupText:
        chunks = await self.link.operator.follow_output(
            self.task_id, limit=SHOWN, execution_id=group.execution_id
        )
        buffer = OutputBuffer()
        buffer.feed(chunks)
        more = group.size - sum(len(chunk.data) + chunk.gap for chunk in chunks)
        return GroupText(buffer.lines, max(0, more))

    @while_open("group text", exclusive=True)
    async def _show_text(self) -> None:
        await self._read_texts()

    def action_choose(self, step: int) -> None:
        """Opens a group above or below."""
        if self.groups:
            self.chosen = max(0, min(self.chosen + step, len(self.groups) - 1))
            self._lay_out()
            at = next(n for n, line in enumerate(self._lines) if line.group == self.chosen)
            self.scroll_to_region(Region(0, at, 1, 6), force=True)
            self._show_text()

    def repeat_key(self, key: str, times: int) -> bool:
        """Does what a key does several times at once, also if it chooses a group."""
        if key not in _CHOOSES:
            return super().repeat_key(key, times)
        self.action_choose(_CHOOSES[key] * times)
        return True

    def toggle_compare(self) -> None:
        """Shows how the chosen group differs from the largest, or its output."""
        self.compares = not self.compares
        self._lay_out()
        self._show_text()

    def show_failed_only(self, failed_only: bool) -> None:
        """Shows the groups with a problem, or all."""
        if failed_only != self.failed_only:
            self.failed_only = failed_only
            self.poll()

    def toggle_mask(self) -> None:
        """Groups outputs that differ in numbers and addresses only, or does not. All of it is read
        again."""
        self._gathered = OutputGroups(masks=not self._gathered.masks)
        self._after = 0
        self.poll()

    def _lay_out(self) -> None:
        self._lines = group_lines(
            self.groups,
            self.chosen,
            self._texts,
            compares=self.compares,
            difference=self._difference,
        )
        self.virtual_size = Size(self.scrollable_size.width, len(self._lines))
        self._retitle()
        self.refresh()

    def _retitle(self) -> None:
        said = count_of(len(self.groups), "group") if self.groups or not self._behind else ""
        if self._behind and self._gathered.size:
            said += f"  reading… {size(self._gathered.size)}"
        said += "  problems only" if self.failed_only else ""
        said += "  numbers masked" if self._gathered.masks else ""
        said += "  compared with the largest" if self.compares else ""
        title = Text("Output  ", style="bold")
        title.append(said.strip(), style="not bold")
        self.set_title(title)

    def on_resize(self) -> None:
        """Lines are cut at the width."""
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        """Opens the group under the mouse."""
        if (offset := event.get_content_offset(self)) is not None:
            row = int(self.scroll_offset.y) + offset.y
            if row < len(self._lines):
                self.action_choose(self._lines[row].group - self.chosen)

    def render_line(self, y: int) -> Strip:
        """The first line of a group, or a line of its output."""
        base, width = self.base_style, self.size.width
        row = int(self.scroll_offset.y) + y
        if not self._lines and y == 1:
            text = "No host has a problem." if self.failed_only else "No output yet."
            said = f"Reading… {size(self._gathered.size)}" if self._behind else text
            return self.strip(self.paint((Span(f"  {said}", Role.MUTED),), base), width, base)
        if row >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[row]
        if line.head:
            chosen = line.group == self.chosen
            if chosen:
                base += self.get_component_rich_style("row--cursor", partial=True)
            head = group_head(self.groups[line.group], chosen=chosen, steps=self.steps)
            return self.strip(self.paint(head, base), width, base)
        room = max(1, self.scrollable_size.width - width_of(line.before))
        runs = crop(segments(line.text), room) if line.text else []
        painted = [Segment(run.text, base + (run.style or Style.null())) for run in runs]
        return self.strip(self.paint(line.before, base) + painted, width, base)
