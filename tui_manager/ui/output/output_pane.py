"""The live output of a task, of one of its hosts, or of one command host. The pane holds the part
of the stored output around what is seen, and reads more when it is scrolled."""

from collections.abc import Sequence
from dataclasses import replace

from textual.reactive import reactive

from tui_manager.domain.output.output_search import OutputMatch, OutputPattern
from tui_manager.domain.text.number_format import size
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.output_reader import OutputRead, OutputReader, ReadKind, Viewport
from tui_manager.ui.output.output_reader import Source as Source
from tui_manager.ui.output.output_view import NO_OUTPUT as NO_OUTPUT
from tui_manager.ui.output.output_view import OutputView
from tui_manager.ui.output.output_window import HELD_MAX
from tui_manager.ui.terminal.closable import while_open

_STEPS_MAX = 64  # reads in a row; more are never needed to fill a pane


class OutputPane(OutputView, can_focus=True):
    """Lines of output, the newest at the end."""

    PANE = Pane.OUTPUT

    wraps: reactive[bool] = reactive(False, init=False)
    times: reactive[bool] = reactive(False, init=False)  # whether lines say when they were stored

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self._stale = self._reading = False
        self._jump: OutputRead | None = None
        self.match: OutputMatch | None = None  # the line that a search has shown last

    def show(self, source: Source | None) -> None:
        """Shows another source, from its newest output on. Does nothing for the same source."""
        if source == self.source:
            return
        self.reader = OutputReader(source) if source else None
        self.prefix = replace(self.prefix, host_width=0, steps=bool(source and source.steps))
        self._jump = self.target = None
        self.search_for(None)
        self.follow = True
        self.lay_out()
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
            self.lay_out(self.line_at_top())

    def search_for(self, pattern: OutputPattern | None, state: str = "") -> None:
        """Highlights what was searched for, and says in the title what became of it."""
        if pattern is None:
            self.match = None
        if (pattern, state) != (self.rows.pattern, self.search_state):
            self.rows.pattern, self.search_state = pattern, state
            self.retitle()
            self.refresh()

    def go_to_match(self, match: OutputMatch) -> None:
        """Shows what a search has found."""
        self.match = match
        self.follow = False
        self.target = (match.execution_id, match.stream, match.offset)
        self._jump = OutputRead(ReadKind.AROUND, match.position)
        self._read_on()

    @property
    def place_seen(self) -> OutputMatch | None:
        """The place before the first line that is seen; None if there is no line."""
        if (line := self.line_seen(0)) is None:
            return None
        return OutputMatch(
            line.position,
            line.execution_id,
            line.host,
            line.command,
            line.stream,
            line.offset - 1,
            0,
        )

    def poll(self) -> None:
        """Reads new output. Several calls during a read lead to one more read."""
        self._stale = True
        self._read_on()

    def _read_on(self) -> None:
        if not self._reading and self.reader is not None and self.is_mounted:
            self._reading = True
            self._read()

    @while_open("read")
    async def _read(self) -> None:
        try:
            for _ in range(_STEPS_MAX):
                reader = self.reader
                if reader is None or (read := self._next_read(reader)) is None:
                    return
                before, after = await reader.fetch(self.link.operator, read)
                if reader is self.reader:
                    self._take(read, before, after)
        finally:
            self._reading = False

    def _next_read(self, reader: OutputReader) -> OutputRead | None:
        if reader.window.size >= HELD_MAX:
            self._drop_far(margin=0)
        read, self._jump = self._jump, None
        if read is None:
            view = Viewport(
                top=self.top,
                height=max(1, self.size.height),
                rows=self.rows.total,
                share=self.scroll_y / self.max_scroll_y if self.max_scroll_y else 0,
                follow=self.follow,
                stale=self._stale,
            )
            read = reader.next_read(view)
        if read is not None and read.kind in (ReadKind.NEWEST, ReadKind.LATER, ReadKind.EXTENT):
            self._stale = False
        return read

    def _take(
        self, read: OutputRead, before: Sequence[OutputChunk], after: Sequence[OutputChunk]
    ) -> None:
        """Holds what was read, and shows it."""
        assert self.reader is not None  # the caller has read with it
        anchor, from_end = self.line_at_top(), self.max_scroll_y - self.scroll_y
        known = self.reader.extent
        self.reader.take(read, before, after)
        if read.kind in (ReadKind.LATER, ReadKind.EXTENT) and self.reader.extent == known:
            return  # the task has changed, but its output has not: all would be drawn for nothing
        self.widen_names()
        self.lay_out(anchor, read, from_end)
        self._drop_far(margin=self.size.height)

    def _drop_far(self, margin: int) -> None:
        """Drops what is far from what is seen, if too much is held."""
        assert self.reader is not None  # the caller reads with it
        first, _ = self.rows.line_at(self.top - margin)
        last, _ = self.rows.line_at(self.top + self.size.height + margin)
        anchor = self.line_at_top()
        if self.reader.window.drop(first, last):
            self.lay_out(anchor)

    def on_resize(self) -> None:
        """Wrapped lines take other heights, and there may be room for more lines."""
        anchor = self.line_at_top()
        self.widen_names()
        self.lay_out(anchor)
        self._read_on()

    def watch_wraps(self) -> None:
        """Lines are cut, or wrapped."""
        anchor = self.line_at_top()
        self.rows.wraps = self.wraps
        self.lay_out(anchor)
        self._read_on()

    def show_failed(self, failed: bool) -> None:
        """Says whether all that is shown is of a command that failed: its long lines are not
        cut."""
        if failed is not self.rows.failed:
            anchor = self.line_at_top()
            self.rows.failed = failed
            self.lay_out(anchor)

    def watch_times(self) -> None:
        """Lines say when they were stored, or do not."""
        anchor = self.line_at_top()
        zone = self.link.now().tzinfo if self.times else None
        self.prefix = replace(self.prefix, zone=zone)
        self.lay_out(anchor)

    def watch_follow(self) -> None:
        """Scrolls to the end, or stays."""
        if self.follow:
            self.placing = True
            self.scroll_end(force=True)
            self.placing = False
            self._read_on()
        self.retitle()

    def watch_ended(self) -> None:
        """Output that has ended is not followed."""
        self.retitle()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up stops following. Scrolling to the end starts it again."""
        super().watch_scroll_y(old_value, new_value)
        if self.placing:
            return
        if new_value < old_value and new_value < self.max_scroll_y:
            self.follow = False
        elif new_value >= self.max_scroll_y:
            self.follow = True
        if self.reader is not None and not self.reader.window.is_complete:
            self.retitle()
            self._read_on()

    def say_read_for_pager(self, read: int | None) -> None:
        """Says in the title how many bytes were read for the pager; None: none are read."""
        key = key_of("back", self.link.keys)
        self.pager_state = "" if read is None else f"pager reads… {size(read)}, {key} ends it"
        self.retitle()
