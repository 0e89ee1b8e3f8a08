"""A list of any length: it asks for the rows that are seen, holds no others, and selects one."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message

from tui_manager.domain.window import Page, Row, Window
from tui_manager.ui.drawing.span_widgets import InstantScroll, RolePainter
from tui_manager.ui.listing.row_reader import RowReader
from tui_manager.ui.listing.row_window import RowWindow
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.lifetime import reads

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
        self.list: RowWindow[Row] = RowWindow(self.key_of)
        self._reader = RowReader(self.list, self.fetch)
        self.loaded = False
        self._stale = False
        self._loading = False
        self._goes_on = False  # the filter, before long
        self._follows = True  # the cursor is to be in sight when rows are read next
        self._opens = False  # the row that is selected when rows are read first
        self._told: Row | None = None  # the selected row that `Selected` told of last
        self._height = 0  # before it was resized

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
    def window(self) -> Window:
        """How the list is filtered and sorted."""
        return self._reader.window

    @property
    def selected(self) -> Row | None:
        """The selected row as it was read last."""
        return self.list.selected

    @property
    def marked(self) -> list[Row]:
        """The marked rows that are in the list, in the order in which they were marked."""
        return list(self.list.marked)

    @property
    def chosen(self) -> list[Row]:
        """What keys act on: the marked rows, else the selected one. Rows that are not in the list
        are neither; if all marked rows are such, keys act on nothing. A key that acts on them calls
        `find_marks` first."""
        if self.list.marks:
            return self.marked
        return [self.selected] if self.selected is not None else []

    def narrow_to(self, text: str) -> None:
        """Shows only the rows that contain `text`."""
        if text != self.window.text:
            self._restart(replace(self.window, text=text), seeks=False)

    def toggle_faults(self) -> None:
        """Shows only what is wrong, or all."""
        self._restart(replace(self.window, faults_only=not self.window.faults_only), seeks=False)

    def sort_by(self, key: str) -> None:
        """Orders by a column; the same one again turns the order round, then back to none."""
        window = self.window
        if window.sort != key:
            self._restart(replace(window, sort=key, descending=False))
        elif not window.descending:
            self._restart(replace(window, descending=True))
        else:
            self._restart(replace(window, sort="", descending=False))

    def find(self, key: str) -> None:
        """Selects the row with this key, wherever it stands; a filter is cleared."""
        self._restart(Window())
        self.jump(key, 0)

    def _restart(self, window: Window, *, seeks: bool = True) -> None:
        """Another window onto the list. A selected row that is in it stays selected: among the
        first rows, or, with `seeks`, wherever it is. Else the first is."""
        self._reader.window = window
        self.list.restart(seeks=seeks)
        self._follows = True
        self.scroll_to(y=0, force=True)
        self.reload()

    def toggle_mark(self) -> None:
        """Marks the selected row, or takes the mark away, and goes on to the next."""
        if self.selected is not None:
            self.list.toggle_mark()
            self.action_move(1)
        self.post_message(self.Selected(self))
        self.retitle()

    def clear_marks(self) -> None:
        """Takes all marks away."""
        self.list.clear_marks()
        self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()

    def jump(self, key: str, number: int) -> None:
        """Selects the row with this key, which stands at `number`; without a key the one that
        stands there when the list is read next."""
        self.list.select(key, number)
        self.follow()

    def follow(self) -> None:
        """Reads the list, and shows the selected row where it stands then."""
        self._follows = True
        self.reload()

    def open_when_read(self) -> None:
        """Before rows were read: opens the one that is selected then."""
        self._opens = not self.loaded

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
            async with self._reader.lock:
                while self._stale:
                    self._stale = False
                    await self._read()
        finally:
            self._loading = False

    async def _read(self) -> None:
        read = await self._reader.read(self.first, max(self.size.height, 1))
        if read is not None:
            await self._take(*read)

    async def _take(self, offset: int, page: Page[Row]) -> None:
        # In an order that readings make, the view stays where the operator has put it.
        shows = self._follows or (self._cursor_in_sight and not self.window.sort)
        self._follows = False
        self.list.place(offset, page)
        self.loaded = True
        self.virtual_size = Size(self.scrollable_size.width, page.matching + HEADER)
        self._show_changes(shows)
        if self.list.sought and not page.partial:
            if not await self._reader.find_missing():
                return
            self._show_changes(shows)
        if self._opens:
            self._opens = False
            if self.selected is not None and self.screen.is_active:
                self.post_message(self.Opened(self))
        if not self.list.covers(self.first, self.size.height):
            self._stale = True
        elif page.partial:
            self._go_on_soon()

    async def find_marks(self) -> None:
        """Reads until it knows which marked rows are in the list. May raise ManagerError."""
        await self._reader.find_marks()
        self._show_changes(shows=False)

    def _show_changes(self, shows: bool) -> None:
        """`shows`: the cursor is to be in sight, wherever it went."""
        if shows and not self._cursor_in_sight:
            self._show_cursor()
        if self.list.selected != self._told:
            self._told = self.list.selected
            self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()

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
        if self.loaded:
            self._moved(self.list.move_by(step))
        else:
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
        if self.loaded:
            self._moved(self.list.move_to(number))
        else:
            self.list.select("", max(0, number))

    def _moved(self, changed: bool) -> None:
        if changed:
            self._told = self.list.selected
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
        """A cursor that was in sight stays in sight."""
        if not self._height or 0 <= self.list.cursor - self.first < self._height - HEADER:
            self._show_cursor()
        self._height = self.size.height
        self.reload()
