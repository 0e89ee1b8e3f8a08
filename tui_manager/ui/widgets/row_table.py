"""A table over a list of any length: it asks for the rows that are seen and holds no others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic

from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.window import Page, Row, Window
from tui_manager.ui.link import Link
from tui_manager.ui.messages import Problem
from tui_manager.ui.render.cells import Column, Role, Span, Spans, fit, share
from tui_manager.ui.render.table import (
    GUTTER,
    filtered_away,
    header_spans,
    row_spans,
    sort_at,
    table_title,
)
from tui_manager.ui.row_window import RowWindow
from tui_manager.ui.widgets.roles import RolePainter

_HEADER = 1  # lines


class RowTable(RolePainter, ScrollView, Generic[Row], can_focus=True):
    """Base of the tables: a subclass says where its rows come from and how they look."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor", "row--header"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(False)", show=False),
        Binding("end", "edge(True)", show=False),
    ]
    TITLE: ClassVar[str]
    COLUMNS: ClassVar[Sequence[Column]] = ()

    @dataclass
    class Selected(Message):
        """Another row is selected, or the selected one has changed."""

        table: "RowTable[Any]"

        @property
        def control(self) -> "RowTable[Any]":
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """A handler looks at the table as it is now."""
            return isinstance(message, RowTable.Selected) and message.table is self.table

    @dataclass
    class Opened(Message):
        """A row was double-clicked."""

        table: "RowTable[Any]"

        @property
        def control(self) -> "RowTable[Any]":
            """The table."""
            return self.table

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self.window = Window()
        self.list: RowWindow[Row] = RowWindow(self.key_of)
        self.loaded = False
        self._stale = False
        self._loading = False

    # What a subclass says.

    def key_of(self, row: Row) -> str:
        """What identifies a row."""
        raise NotImplementedError

    def cell(self, row: Row, key: str, width: int) -> Spans:
        """What stands in a column."""
        raise NotImplementedError

    async def fetch(self, window: Window) -> Page[Row]:
        """Reads rows. May raise ManagerError."""
        raise NotImplementedError

    def empty_lines(self) -> Sequence[Spans]:
        """What stands in an empty, unfiltered table."""
        raise NotImplementedError

    @property
    def columns(self) -> Sequence[Column]:
        """The columns now."""
        return self.COLUMNS

    # What others ask for.

    @property
    def selected(self) -> Row | None:
        """The selected row as it was read last."""
        return self.list.selected

    @property
    def marked(self) -> list[Row]:
        """The marked rows in the order in which they were marked."""
        return list(self.list.marks.values())

    def narrow_to(self, text: str) -> None:
        """Shows only the rows that contain `text`."""
        if text != self.window.text:
            self.restart(replace(self.window, text=text))

    def toggle_faults(self) -> None:
        """Shows only what is wrong, or all."""
        self.restart(replace(self.window, faults_only=not self.window.faults_only))

    def sort_by(self, key: str) -> None:
        """Orders by a column; the same one again turns the order round, then back to none."""
        window = self.window
        if window.sort != key:
            self.restart(replace(window, sort=key, descending=False))
        elif not window.descending:
            self.restart(replace(window, descending=True))
        else:
            self.restart(replace(window, sort="", descending=False))

    def restart(self, window: Window) -> None:
        """Another window onto the list; a selected row that is still in it stays selected."""
        self.window = window
        self.list.forget()
        self.scroll_to(y=0, animate=False)
        self.reload()

    def toggle_mark(self) -> None:
        """Marks the selected row, or takes the mark away, and goes on to the next."""
        self.list.toggle_mark()
        self.action_move(1)
        self._retitle()

    def clear_marks(self) -> None:
        """Takes all marks away."""
        self.list.marks.clear()
        self._retitle()
        self.refresh()

    def jump(self, key: str, number: int) -> None:
        """Selects the row with this key, which stands at `number`."""
        self.list.select(key, number)
        self._show_cursor()
        self.reload()

    def reload(self) -> None:
        """Reads the visible window again; calls while it is read fold into one."""
        self._stale = True
        # Before the operator is open nothing can be read; its first facts say to read all.
        if not self._loading and self.is_mounted and self.link.connected is not None:
            self._loading = True
            self._load()

    @work(group="load")
    async def _load(self) -> None:
        try:
            while self._stale:
                self._stale = False
                offset, limit = self.list.wanted(self._first, max(self.size.height, 1))
                page = await self.fetch(replace(self.window, offset=offset, limit=limit))
                self._take(offset, page)
        except ManagerError as error:
            self.post_message(Problem(error))
        finally:
            self._loading = False

    def _take(self, offset: int, page: Page[Row]) -> None:
        before, seen = self.list.selected, self._cursor_in_sight
        moved = self.list.place(offset, page)
        self.loaded = True
        self.virtual_size = Size(self.size.width, page.matching + _HEADER)
        if moved and seen and not self._cursor_in_sight:
            self._show_cursor()
        if self.list.selected != before:
            self.post_message(self.Selected(self))
        self._retitle()
        self.refresh()
        if not self.list.covers(self._first, self.size.height):
            self._stale = True

    @property
    def _first(self) -> int:
        return int(self.scroll_offset.y)

    @property
    def _cursor_in_sight(self) -> bool:
        return 0 <= self.list.cursor - self._first < self.size.height - _HEADER

    # Moving about.

    def action_move(self, step: int) -> None:
        """Selects a row above or below."""
        self._go(self.list.cursor + step)

    def action_page(self, direction: int) -> None:
        """Selects a row a page above or below."""
        self._go(self.list.cursor + direction * max(1, self.size.height - _HEADER - 1))

    def action_edge(self, last: bool) -> None:
        """Selects the first or the last row."""
        self._go(self.list.matching if last else 0)

    def _go(self, number: int) -> None:
        if self.list.move_to(number):
            self.post_message(self.Selected(self))
        self._show_cursor()
        self.refresh()

    def _show_cursor(self) -> None:
        self.scroll_to_region(
            Region(0, self.list.cursor, 1, 1 + _HEADER), animate=False, force=True, immediate=True
        )

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Reads what came into sight."""
        super().watch_scroll_y(old_value, new_value)
        if self.loaded and not self.list.covers(self._first, self.size.height):
            self.reload()

    def on_resize(self) -> None:
        self.reload()

    def on_click(self, event: events.Click) -> None:
        """Selects a row; the header sorts; a double click opens."""
        if (offset := event.get_content_offset(self)) is None:
            return
        if offset.y < _HEADER:
            if key := sort_at(self._shares, offset.x):
                self.sort_by(key)
        elif (number := self._first + offset.y - _HEADER) < self.list.matching:
            self._go(number)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # Drawing.

    @property
    def _shares(self) -> tuple[tuple[Column, int], ...]:
        return share(self.columns, self.size.width - GUTTER)

    def render_line(self, y: int) -> Strip:
        """The header, a row, or a line of what an empty table says."""
        base = self.rich_style
        width = self.size.width
        if not self.list.matching:
            return self.strip(self.paint(self._empty_line(y), base), width, base)
        if y < _HEADER:
            header = base + self.get_component_rich_style("row--header", partial=True)
            return self.strip(
                self.paint(header_spans(self._shares, self.window), header), width, header
            )
        number = self._first + y - _HEADER
        row = self.list.rows.get(number)
        if row is None:
            waiting = fit((Span("  …", Role.MUTED),), width) if number < self.list.matching else ()
            return self.strip(self.paint(waiting, base), width, base)
        key = self.key_of(row)
        if current := key == self.list.key:
            base += self.get_component_rich_style("row--cursor", partial=True)
        line = row_spans(
            self._shares, partial(self.cell, row), current=current, marked=key in self.list.marks
        )
        return self.strip(self.paint(line, base), width, base)

    def _empty_line(self, y: int) -> Spans:
        if not self.loaded:
            return (Span("  …", Role.MUTED),) if y == 1 else ()
        filtered = (self.window.text or self.window.faults_only) and self.list.total
        lines = (
            filtered_away(self.TITLE.lower(), self.list.total, self.window)
            if filtered
            else self.empty_lines()
        )
        return (Span("  "), *lines[y - 1]) if 0 < y <= len(lines) else ()

    def _retitle(self) -> None:
        self.border_title = table_title(
            self.TITLE,
            self.window,
            matching=self.list.matching,
            total=self.list.total,
            marked=len(self.list.marks),
        )
