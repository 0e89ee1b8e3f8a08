"""A list of any length: it asks for the rows that are seen, holds no others, and selects one."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message

from tui_manager.domain.window import Page, Row, Window
from tui_manager.ui.lifetime import reads
from tui_manager.ui.link import Link
from tui_manager.ui.row_window import RowWindow
from tui_manager.ui.widgets.instant_scroll import InstantScroll
from tui_manager.ui.widgets.roles import RolePainter

HEADER = 1  # lines above the rows
PACE = 0.1  # seconds until a filter that has not seen all rows goes on


class RowList(RolePainter, InstantScroll, Generic[Row], can_focus=True):
    """What is read, selected and in sight; how it is drawn, is a table's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(False)", show=False),
        Binding("end", "edge(True)", show=False),
    ]

    @dataclass
    class Selected(Message):
        """Another row is selected, the selected one has changed, or other rows are marked."""

        rows: "RowList[Any]"

        @property
        def control(self) -> "RowList[Any]":
            """The list."""
            return self.rows

        def can_replace(self, message: Message) -> bool:
            """A handler looks at the list as it is now."""
            return isinstance(message, RowList.Selected) and message.rows is self.rows

    @dataclass
    class Opened(Message):
        """A row was double-clicked."""

        rows: "RowList[Any]"

        @property
        def control(self) -> "RowList[Any]":
            """The list."""
            return self.rows

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self.window = Window()
        self.list: RowWindow[Row] = RowWindow(self.key_of)
        self.loaded = False
        self._stale = False
        self._loading = False
        self._goes_on = False  # the filter, before long
        self._seeks = True  # the cursor is to be in sight when rows are read next

    # What a subclass says.

    def key_of(self, row: Row) -> str:
        """What identifies a row."""
        raise NotImplementedError

    async def fetch(self, window: Window) -> Page[Row]:
        """Reads rows. May raise ManagerError."""
        raise NotImplementedError

    def retitle(self) -> None:
        """The title says how many rows there are."""
        raise NotImplementedError

    def refresh_changed(self, *, times: bool = False) -> None:
        """Draws those lines again that say something else now; `times`: because time has passed."""
        raise NotImplementedError

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
        self._seeks = True
        self.scroll_to(y=0, force=True)
        self.reload()

    def toggle_mark(self) -> None:
        """Marks the selected row, or takes the mark away, and goes on to the next."""
        self.list.toggle_mark()
        self.action_move(1)
        self.post_message(self.Selected(self))
        self.retitle()

    def clear_marks(self) -> None:
        """Takes all marks away."""
        self.list.marks.clear()
        self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()

    def jump(self, key: str, number: int) -> None:
        """Selects the row with this key, which stands at `number`; without a key the one that
        stands there when the list is read next."""
        self.list.select(key, number)
        self._seeks = True
        self._show_cursor()
        self.reload()

    def reload(self) -> None:
        """Reads the visible window again; calls while it is read fold into one."""
        self._stale = True
        # Before the operator is open nothing can be read; its first facts say to read all.
        if not self._loading and self.is_mounted and self.link.connected is not None:
            self._loading = True
            self._load()

    @reads("load")
    async def _load(self) -> None:
        try:
            while self._stale:
                self._stale = False
                offset, limit = self.list.wanted(self.first, max(self.size.height, 1))
                page = await self.fetch(replace(self.window, offset=offset, limit=limit))
                self._take(offset, page)
        finally:
            self._loading = False

    def _take(self, offset: int, page: Page[Row]) -> None:
        before, seen = self.list.selected, self._seeks or self._cursor_in_sight
        self.list.place(offset, page)
        self.loaded, self._seeks = True, False
        self.virtual_size = Size(self.scrollable_size.width, page.matching + HEADER)
        if seen and not self._cursor_in_sight:
            self._show_cursor()
        if self.list.selected != before:
            self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()
        if not self.list.covers(self.first, self.size.height):
            self._stale = True
        elif page.partial:
            self._go_on_soon()

    def _go_on_soon(self) -> None:
        if not self._goes_on:
            self._goes_on = True
            self.set_timer(PACE, self._go_on)

    def _go_on(self) -> None:
        self._goes_on = False
        self.reload()

    @property
    def first(self) -> int:
        """The number of the first row in sight."""
        return int(self.scroll_offset.y)

    @property
    def _cursor_in_sight(self) -> bool:
        return 0 <= self.list.cursor - self.first < self.size.height - HEADER

    # Moving about.

    def action_move(self, step: int) -> None:
        """Selects a row above or below."""
        self.go_to(self.list.cursor + step)

    def action_page(self, direction: int) -> None:
        """Selects a row a page above or below."""
        self.go_to(self.list.cursor + direction * max(1, self.size.height - HEADER - 1))

    def action_edge(self, last: bool) -> None:
        """Selects the first or the last row."""
        self.go_to(self.list.matching if last else 0)

    def go_to(self, number: int) -> None:
        """Selects the row at a number, as near as there is one; before the list is read, the one
        that will stand there."""
        if not self.loaded:
            self.list.select("", max(0, number))
        elif self.list.move_to(number):
            self.post_message(self.Selected(self))
        self._show_cursor()
        self.refresh_changed()

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.list.cursor, 1, 1 + HEADER), force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Reads what came into sight."""
        super().watch_scroll_y(old_value, new_value)
        if self.loaded and not self.list.covers(self.first, self.size.height):
            self.reload()

    def on_resize(self) -> None:
        self._show_cursor()
        self.reload()
