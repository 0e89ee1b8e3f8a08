"""How an output pane places and draws the lines that it holds. What it reads is in
`output_pane.py`."""

from dataclasses import replace

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip

from tui_manager.domain.output.output_buffer import OutputLine
from tui_manager.domain.status import Stream
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import InstantScroll, SpanWidget
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.output.line_rows import LineRows
from tui_manager.ui.output.output_reader import OutputRead, OutputReader, ReadKind, Source
from tui_manager.ui.output.pane_title import TitleState, title_of
from tui_manager.ui.output.row_prefix import HOST_WIDTH, RowPrefix

NO_OUTPUT: Spans = (Span("No output yet.", Role.MUTED),)
ENDED_WITHOUT_OUTPUT: Spans = (Span("No output.", Role.MUTED),)  # of a task that has ended
_READING: Spans = (Span("  "), Span("…", Role.MUTED))

Place = tuple[str, Stream, int]  # a byte of a stream of an execution
Anchor = tuple[Place, int]  # a line, and how many rows below its first one the pane begins
_STAYS = OutputRead(ReadKind.EXTENT)


class OutputView(SpanWidget, InstantScroll):
    """Lines, and about as many empty rows as the output before them and behind them would take."""

    follow: reactive[bool] = reactive(True)
    ended: reactive[bool] = reactive(False)  # nothing more will be printed
    no_output_text: reactive[tuple[Spans, ...]] = reactive((NO_OUTPUT,))  # shown without output

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.reader: OutputReader | None = None
        self.hint: tuple[Spans, ...] = ()  # shown without a source
        self.end_note: Spans = ()  # a note of the manager below the last line
        self.search_state = self.pager_state = ""  # for the title
        self.rows = LineRows()
        self.prefix = RowPrefix()
        self.before = self.behind = 0  # about so many rows are not held, at both ends
        self.target: Place | None = None  # to be scrolled to when it is read
        self.placing = False  # it is scrolled by this class, and not by the operator

    @property
    def source(self) -> Source | None:
        """Whose output is shown."""
        return self.reader.source if self.reader else None

    @property
    def lines(self) -> list[OutputLine]:
        """The lines that are held."""
        return self.reader.window.lines if self.reader else []

    @property
    def text_width(self) -> int:
        """The cells of a row that are left for the text of its line."""
        return max(1, self.scrollable_size.width - self.prefix.width)

    @property
    def top(self) -> int:
        """The row that is seen first, counted from the first row that is held."""
        return int(self.scroll_y) - self.before

    def line_seen(self, row: int) -> OutputLine | None:
        """The line at a row of what is seen; None if none is held."""
        if not self.lines:
            return None
        number, _ = self.rows.line_at(max(0, self.top + row))
        return self.lines[min(number, len(self.lines) - 1)]

    def line_at_top(self) -> Anchor | None:
        """The first line that is seen and held; None if there is none."""
        top = self.top
        if not self.rows.total or not -self.size.height < top < self.rows.total:
            return None
        number, part = self.rows.line_at(max(0, top))
        line = self.lines[number]
        return (line.execution_id, line.stream, line.offset), part + min(0, top)

    def widen_names(self) -> None:
        """Gives the names of hosts the room that they need, up to a third of the pane. It takes
        room from them only if the pane has become narrow."""
        source = self.source
        if source is None or source.host_id or source.execution_id:
            return
        names = {line.host for line in self.lines}
        longest = max((cell_len(safe_line(name)) for name in names), default=0)
        most = max(HOST_WIDTH, self.scrollable_size.width // 3)
        width = min(max(self.prefix.host_width, longest), most)
        self.prefix = replace(self.prefix, host_width=width)

    def lay_out(
        self, anchor: Anchor | None = None, read: OutputRead = _STAYS, from_end: float = 0
    ) -> None:
        """Places the lines. What was seen stays in place, or what was asked for comes in sight.

        Args:
            read: what was read.
            from_end: how many rows were below what was seen before.
        """
        rows = self.rows.place(self.lines, self.text_width)
        self.before, self.behind = self.reader.rows_around(rows) if self.reader else (0, 0)
        top = self._new_top(anchor, read)
        self.set_rows(self.before + rows + self.behind + bool(self.end_note))
        if top is None and read.kind is ReadKind.NEWEST:
            top = self.max_scroll_y - from_end
        self.placing = True
        if self.follow:
            self.scroll_end(force=True)
        elif top is not None:
            self.scroll_to(y=max(0, top), animate=False, force=True, immediate=True)
        self.placing = False
        self.retitle()
        self.refresh()

    def _new_top(self, anchor: Anchor | None, read: OutputRead) -> float | None:
        """The row that is seen first; None if it stays."""
        if self.reader is None:
            return None
        find, rows = self.reader.window.find, self.rows
        if read.kind is ReadKind.AROUND:
            place, self.target = self.target, None
            number = find(*place) if place else -1
            if place and number >= 0:
                part = rows.part_of(self.lines[number], place[2] - self.lines[number].offset)
                return self.before + rows.row_of(number) + part - self.size.height // 3
            return self._around(read.position)
        if anchor is not None and (number := find(*anchor[0])) >= 0:
            return self.before + rows.row_of(number) + anchor[1]
        return None

    def _around(self, position: int) -> float | None:
        """Shows the output from a position on without moving the scrollbar, if possible."""
        numbers = (n for n, line in enumerate(self.lines) if line.position >= position)
        row = self.rows.row_of(next(numbers, 0)) if self.lines else 0
        if not self.before:
            return row
        self.before = max(1, int(self.scroll_y) - row)
        return self.before + row

    def watch_show_vertical_scrollbar(self, shows: bool) -> None:
        """A new scrollbar begins at the position of the lines."""
        if shows:
            self.vertical_scrollbar.position = self.scroll_y

    def retitle(self) -> None:
        """The title says what is shown and how."""
        share, reader = None, self.reader
        if reader is not None and reader.has_read and not reader.window.is_complete:
            last = self.line_seen(self.size.height - 1)
            share = reader.share_of(last.position) if last else None
        doing = "  ".join(filter(None, (self.search_state, self.pager_state)))
        shown = TitleState(self.ended, self.follow, self.rows.wraps, share, doing)
        self.set_title(title_of(self.source, shown, self.size.width))

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """A row of a line, a note, or the text of an empty pane."""
        base, width = self.base_style, self.size.width
        return self.strip(self._row(y, base), width, base)

    def _row(self, y: int, base: Style) -> list[Segment]:
        if not self.lines:
            return self.paint(self._empty_line(y), base)
        row, total = self.top + y, self.rows.total
        if not 0 <= row < total:
            if row == total + self.behind and self.end_note:
                return self.paint((Span("  "), *self.end_note), base)
            return self.paint(_READING if row < total + self.behind else (), base)
        number, part = self.rows.line_at(row)
        line = self.lines[number]
        prefix = self.paint(self.prefix.of_row(line, part), base)
        if line.note:
            return prefix + self.paint((Span(line.text, Role.CAUTION),), base)
        runs = self.rows.runs(line, part)
        return prefix + [Segment(run.text, base + (run.style or Style.null())) for run in runs]

    def _empty_line(self, y: int) -> Spans:
        above = min(1, self.size.height - 1)  # an empty line, if there is room
        if self.reader is None:
            lines = self.hint
        elif not self.reader.has_read:
            return _READING if y == above else ()
        else:
            nothing = self.no_output_text
            if self.ended and nothing == (NO_OUTPUT,):
                nothing = (ENDED_WITHOUT_OUTPUT,)
            lines = (self.end_note,) if self.end_note else nothing
        return (Span("  "), *lines[y - above]) if above <= y < above + len(lines) else ()
