"""The live output of a task, of one of its hosts, or of one command host."""

from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.number_format import count_of
from tui_manager.ui.drawing.span_widgets import InstantScroll, SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, shorten
from tui_manager.ui.drawing.state_words_and_colours import STDERR, STDOUT
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.colour_and_wrap_lines import LineRows
from tui_manager.ui.output.output_buffer import OutputBuffer, OutputLine
from tui_manager.ui.terminal.closable import while_open

NEWEST = 400  # chunks that are read when a source is shown
NO_OUTPUT: Spans = (Span("No output yet.", Role.MUTED),)
ENDED_WITHOUT_OUTPUT: Spans = (Span("No output.", Role.MUTED),)  # of a task that has ended
HOST_WIDTH = 16  # cells of a host's name at most
_TITLE_LEAST = 8  # cells of a title
_FRAME = 6  # cells of the frame and its spaces beside a title
ROUNDS = 8  # reads in a row before other messages are handled


def dropped_note(lines: int) -> Spans:
    """The row above the first line that is kept."""
    text = f"… {count_of(lines, 'earlier line')} not kept here: ctrl+s saves all output"
    return (Span(text, Role.CAUTION),)


@dataclass(frozen=True, slots=True)
class Source:
    """Whose output is shown.

    Attributes:
        host_id: of one host only; empty for all.
        execution_id: of one command host only; empty for all.
        title: in the frame; shortened if space is short.
        title_end: after the title; never shortened.
        steps: whether lines show the number of their command.
    """

    task_id: int
    host_id: str = ""
    execution_id: str = ""
    title: str = ""
    title_end: str = ""
    steps: bool = False

    @property
    def full_title(self) -> str:
        """The title as it is if there is space."""
        return self.title + self.title_end


class OutputPane(SpanWidget, InstantScroll, can_focus=True):
    """Lines of output, the newest at the end."""

    PANE = Pane.OUTPUT

    follow: reactive[bool] = reactive(True)
    wraps: reactive[bool] = reactive(False)
    ended: reactive[bool] = reactive(False)  # nothing more will be printed

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self.source: Source | None = None
        self.buffer = OutputBuffer()
        self.hint: tuple[Spans, ...] = ()  # shown without a source
        self.no_output_text: tuple[Spans, ...] = (NO_OUTPUT,)  # shown without output
        self.end_note: Spans = ()  # a note of the manager below the last line
        self._after = 0
        self._stale = False
        self._reading = False
        self._read_once = False
        self._from_start = False
        self._rows = LineRows()
        self._host_width = 0
        self._dropped = 0

    def show(self, source: Source | None) -> None:
        """Shows another source, from its newest output on. Does nothing for the same source."""
        if source == self.source:
            return
        self.source = source
        self.buffer = OutputBuffer()
        self._after, self._dropped, self._host_width = 0, 0, 0
        self._read_once = self._from_start = False
        self._rows.forget()
        self.follow = True
        self._lay_out()
        self.poll()

    def set_hint(self, lines: tuple[Spans, ...]) -> None:
        """What the pane shows while it has no source."""
        if lines != self.hint:
            self.hint = lines
            self.refresh()

    def set_end_note(self, note: Spans) -> None:
        """Sets the note below the last line."""
        if note != self.end_note:
            self.end_note = note
            self._lay_out()

    def poll(self) -> None:
        """Reads new output. Several calls during a read lead to one more read."""
        self._stale = True
        if not self._reading and self.source is not None and self.is_mounted:
            self._reading = True
            self._read()

    @while_open("read")
    async def _read(self) -> None:
        try:
            while self._stale and self.source is not None:
                self._stale = False
                await self._read_source(self.source)
        finally:
            self._reading = False

    async def _read_source(self, source: Source) -> None:
        operator = self.link.operator
        for _ in range(ROUNDS):
            start = self._after or (0 if self._from_start else -NEWEST)
            chunks = await operator.follow_output(source.task_id, start, source.host_id)
            if self.source is not source:
                self._stale = True
                return
            first, self._read_once = not self._read_once, True
            if not chunks:
                if first:
                    self._lay_out()
                return
            wanted = [chunk for chunk in chunks if self._belongs(chunk, source)]
            if start < 0 and not wanted:
                # The newest output is all of other commands on this host: read from the start.
                self._from_start = True
                continue
            self._after = chunks[-1].position
            self._feed(wanted)
        self._stale = True

    @staticmethod
    def _belongs(chunk: OutputChunk, source: Source) -> bool:
        return not source.execution_id or chunk.execution_id == source.execution_id

    def _feed(self, chunks: list[OutputChunk]) -> None:
        self.buffer.feed(chunks)
        if not self._shows_one_host:
            names = {chunk.host for chunk in chunks}
            longest = max((cell_len(safe_line(name)) for name in names), default=0)
            self._host_width = max(self._host_width, min(longest, HOST_WIDTH))
        self._lay_out()

    # Layout: how many rows each line takes.

    @property
    def _shows_one_host(self) -> bool:
        return bool(self.source and (self.source.host_id or self.source.execution_id))

    @property
    def _prefix_width(self) -> int:
        steps = 3 if self.source and self.source.steps else 0
        return self._host_width + steps + (3 if self._host_width else 2)

    @property
    def _text_width(self) -> int:
        return max(1, self.scrollable_size.width - self._prefix_width)

    def _lay_out(self) -> None:
        rows = self._rows.place(self.buffer.lines, self._text_width)
        before, self._dropped = self._dropped, self.buffer.dropped
        gone = self._dropped - before - (not before)  # the note about them takes one row
        self._set_rows(bool(self._dropped) + rows + bool(self.end_note))
        if self.follow:
            self.scroll_end(force=True)
        elif self._dropped > before:
            self.scroll_to(y=max(0, self.scroll_y - gone), force=True)
        self.retitle()
        self.refresh()

    def _set_rows(self, rows: int) -> None:
        """Only a scrollbar that appears or disappears needs another layout of the screen."""
        size = Size(self.scrollable_size.width, rows)
        if self.size.height and self.show_vertical_scrollbar != (rows > self.size.height):
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = rows

    def watch_show_vertical_scrollbar(self, shows: bool) -> None:
        """A new scrollbar begins at the position of the lines."""
        if shows:
            self.vertical_scrollbar.position = self.scroll_y

    def on_resize(self) -> None:
        """Wrapped lines take other heights."""
        self._rows.forget()
        self._lay_out()
        self.poll()

    def watch_wraps(self) -> None:
        """Lines are cut, or wrapped."""
        self._rows.wraps = self.wraps
        self._rows.forget()
        self._lay_out()

    def watch_follow(self) -> None:
        """Scrolls to the end, or stays."""
        if self.follow:
            self.scroll_end(force=True)
        self.retitle()

    def watch_ended(self) -> None:
        """Output that has ended is not followed."""
        self.retitle()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up stops following. Scrolling to the end starts it again."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self.max_scroll_y:
            self.follow = False
        elif new_value >= self.max_scroll_y:
            self.follow = True

    def retitle(self) -> None:
        """The title says what is shown and how."""
        title = Text("Output", style="bold")
        if self.source is not None:
            state = "" if self.ended else "  ▼ following" if self.follow else "  ‖ not following"
            state += "  wrapped" if self.wraps else ""
            end = safe_line(self.source.title_end) + state
            room = self.size.width - _FRAME - title.cell_len - cell_len(end)
            name = shorten(safe_line(self.source.title), max(_TITLE_LEAST, room))
            title.append(f"  {name}{end}", style="not bold")
        self.set_title(title)

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """A row of a line, a note, or the text of an empty pane."""
        base = self.rich_style
        width = self.size.width
        if not self.buffer.lines:
            line = self._empty_line(y)
            return self.strip(self.paint(line, base), width, base)
        row = int(self.scroll_offset.y) + y
        if self._dropped and row == 0:
            note = (Span("  "), *dropped_note(self._dropped))
            return self.strip(self.paint(note, base), width, base)
        number, part = self._rows.line_at(row - bool(self._dropped))
        if number >= len(self.buffer.lines):
            last = row == self.virtual_size.height - 1
            note = (Span("  "), *self.end_note) if last else ()
            return self.strip(self.paint(note, base), width, base)
        line_ = self.buffer.lines[number]
        return self.strip(self._row(line_, part, base), width, base)

    def _row(self, line: OutputLine, part: int, base: Style) -> list[Segment]:
        prefix = self.paint(self._prefix(line, part), base)
        if line.note:
            return prefix + self.paint((Span(line.text, Role.CAUTION),), base)
        runs = self._rows.runs(line, part)
        return prefix + [Segment(run.text, base + (run.style or Style.null())) for run in runs]

    def _prefix(self, line: OutputLine, part: int) -> Spans:
        bar = STDERR if line.stream is Stream.STDERR else STDOUT
        parts: list[Span] = []
        if self._host_width:
            name = safe_line(line.host) if not part else ""
            parts += [*fit((Span(name, Role.MUTED),), self._host_width), Span(" ")]
        if self.source and self.source.steps:
            step = f"#{line.command + 1}" if not part else ""
            parts.append(Span(f"{step:<3}", Role.MUTED))
        return (*parts, Span(f"{bar.text} ", bar.role))

    def _empty_line(self, y: int) -> Spans:
        if self.source is None:
            lines = self.hint
        elif not self._read_once:
            lines = ((Span("…", Role.MUTED),),)
        else:
            nothing = self.no_output_text
            if self.ended and nothing == (NO_OUTPUT,):
                nothing = (ENDED_WITHOUT_OUTPUT,)
            lines = (self.end_note,) if self.end_note else nothing
        return (Span("  "), *lines[y - 1]) if 0 < y <= len(lines) else ()
