"""The widget of a list of any length: it reads the rows in sight, selects one, and scrolls."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import Page, Row, Window
from tui_manager.ui.drawing.span_widgets import InstantScroll, SpanWidget, half_of
from tui_manager.ui.listing.row_reader import RowReader
from tui_manager.ui.listing.row_window import RowWindow
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open
from tui_manager.ui.terminal.textual_internals import fires_late

HEADER = 1  # lines above the rows
# Keys that move the selection: the action, and its direction.
MOVES: Mapping[str, tuple[str, int]] = {
    "up": ("move", -1),
    "k": ("move", -1),
    "down": ("move", 1),
    "j": ("move", 1),
    "pageup": ("page", -1),
    "pagedown": ("page", 1),
    "ctrl+u": ("half_page", -1),
    "ctrl+d": ("half_page", 1),
}
MARKED_MAX = 10_000  # rows that are marked at once
READ_ON_AFTER = 0.05  # seconds until a filter that has not looked at all rows continues


class RowList(SpanWidget, InstantScroll, Generic[Row], can_focus=True):
    """Reading, selection and scrolling. A subclass draws the rows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"{name}({step})", show=False) for key, (name, step) in MOVES.items()),
        Binding("home,g", "edge(False)", show=False),
        Binding("end,G", "edge(True)", show=False),
    ]

    @dataclass
    class Selected(Message):
        """Another row is selected, the selected row has changed, or the marks have."""

        rows: "RowList[Any]"

        @property
        def control(self) -> "RowList[Any]":
            """The list."""
            return self.rows

        def can_replace(self, message: Message) -> bool:
            """One message is enough: its handler looks at the list as it is now."""
            return isinstance(message, RowList.Selected) and message.rows is self.rows

    @dataclass
    class Opened(Message):
        """A row was double-clicked."""

        rows: "RowList[Any]"

        @property
        def control(self) -> "RowList[Any]":
            """The list."""
            return self.rows

    @dataclass
    class FilterRefused(Message):
        """The manager did not take a filter, and the list has the one before again."""

        rows: "RowList[Any]"
        text: str
        error: InvalidInputError

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.link = link
        self._taken_text = ""  # the filter of the last page
        self.list: RowWindow[Row] = RowWindow(self.key_of)
        self._reader = RowReader(self.list, self.fetch)
        self.loaded = False
        self._stale = False
        self._loading = False
        self._reads_on_soon = False  # the timer of READ_ON_AFTER runs
        self._reveals_cursor = True  # the next read scrolls to the cursor
        self._opens_when_read = False  # the first read opens the selected row
        self._last_selected: Row | None = None  # of the last message `Selected`
        self._height = 0  # before it was resized

    # For subclasses.

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
        """Draws the lines again that have changed; with `times` also those that show a time."""
        raise NotImplementedError

    # For screens.

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
    def only_hidden_marks(self) -> bool:
        """Whether there are marks, and none of them is on a row that is in the list."""
        return self.list.only_hidden_marks

    @property
    def chosen(self) -> list[Row]:
        """The rows that keys act on: the marked ones, else the selected one. Rows that are not in
        the list are left out, also if none is left. A key calls `find_marks` first."""
        if self.list.marks:
            return self.marked
        return [self.selected] if self.selected is not None else []

    def filter_by(self, text: str) -> None:
        """Shows only the rows that pass the filter `text`; see `filter_language.py`."""
        if text != self.window.text:
            self.restart(replace(self.window, text=text), search_all=False)

    def toggle_faults(self) -> None:
        """Shows only what is wrong, or all."""
        self.restart(
            replace(self.window, faults_only=not self.window.faults_only), search_all=False
        )

    def find(self, key: str) -> None:
        """Selects the row with this key, whatever its number. Clears a filter."""
        self.restart(Window())
        self.select_row(key, 0)

    def restart(self, window: Window, *, search_all: bool = True) -> None:
        """Reads the list with another filter or order. The selected row stays selected if it is
        among the first rows, or, with `search_all`, anywhere. Else the first one is selected."""
        self._reader.window = window
        self.list.restart(search_all=search_all)
        self._reveals_cursor = True
        self.scroll_to(y=0, force=True)
        self.reload()

    def toggle_mark(self) -> None:
        """Marks or unmarks the selected row, and selects the next one."""
        if self.selected is not None:
            self.list.toggle_mark()
            self.action_move(1)
        self.post_message(self.Selected(self))
        self.retitle()

    async def mark_matching(self) -> bool:
        """Marks all rows that pass the filter, also those out of sight, up to `MARKED_MAX`; if all
        are marked, takes the marks away. May raise ManagerError.

        Returns False if there are more rows than that.
        """
        rows = await self._reader.read_matching(MARKED_MAX)
        if rows is None:
            return True
        self.list.mark_first(rows)
        self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()
        return self.list.matching <= MARKED_MAX

    async def read_matching(self, limit: int) -> list[Row]:
        """The first rows that pass the filter, also those out of sight; none if the filter is
        replaced meanwhile. May raise ManagerError."""
        return [*(await self._reader.read_matching(limit) or ())]

    def clear_marks(self) -> None:
        """Takes all marks away."""
        self.list.clear_marks()
        self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()

    def select_row(self, key: str, number: int) -> None:
        """Selects the row with this key, which is likely at `number`. Without a key it is the row
        that is there when the list is read next."""
        self.list.select(key, number)
        self.reveal_selected()

    def deselect(self) -> None:
        """Selects no row until the operator moves, or `select_row` is called."""
        self.list.deselect()
        self._last_selected = None
        self.refresh_changed()

    def reveal_selected(self) -> None:
        """Reads the list, and scrolls to the selected row."""
        self._reveals_cursor = True
        self.reload()

    def open_when_read(self) -> None:
        """If no rows were read yet: opens the row that is selected then."""
        self._opens_when_read = not self.loaded

    def reload(self) -> None:
        """Reads the rows in sight again. Several calls during a read lead to one more read."""
        self._stale = True
        # Before the operator is open nothing can be read; its first facts say to read all.
        if not self._loading and self.is_mounted and self.link.connected is not None:
            self._loading = True
            self._load()

    @while_open("load")
    async def _load(self) -> None:
        text = self.window.text
        try:
            async with self._reader.lock:
                while self._stale:
                    self._stale, text = False, self.window.text
                    read = await self._reader.read(self.first, max(self.size.height, 1))
                    if read is not None:
                        self._taken_text = text
                        await self._take(*read)
        except InvalidInputError as error:
            if error.field != "text":
                raise
            self._refuse_filter(text, error)
        finally:
            self._loading = False

    def _refuse_filter(self, text: str, error: InvalidInputError) -> None:
        """Goes back to the filter before. If it is this one, which was right before, to none."""
        if self._taken_text == text:
            self._taken_text = ""
        self.post_message(self.FilterRefused(self, text, error))
        self.call_later(self._leave_filter, text)

    def _leave_filter(self, text: str) -> None:
        if self.window.text == text:
            self.filter_by(self._taken_text)
        else:  # it was replaced meanwhile
            self.reload()

    async def _take(self, offset: int, page: Page[Row]) -> None:
        # In a sorted list rows move at each read: the view stays where the operator has put it.
        reveal = self._reveals_cursor or (self._cursor_in_sight and not self.window.sort)
        self._reveals_cursor = False
        self.list.hold_page(offset, page)
        self.loaded = True
        self._fit_to_rows()
        self._show_changes(reveal)
        if self.list.missing and not page.partial:
            if not await self._reader.find_missing():
                return
            self._show_changes(reveal)
        if self._opens_when_read:
            self._opens_when_read = False
            if self.selected is not None and self.screen.is_active:
                self.post_message(self.Opened(self))
        if not self.list.holds(self.first, self.size.height):
            self._stale = True
        elif page.partial:
            self._read_on_soon()

    def _fit_to_rows(self) -> None:
        """Scrolls over all rows."""
        self.set_rows(self.list.matching + HEADER)
        self.scroll_y = min(self.scroll_y, self.max_scroll_y)

    async def find_marks(self) -> None:
        """Reads until it knows which marked rows are in the list. May raise ManagerError."""
        await self._reader.find_marks()
        self._show_changes(reveal=False)

    def _show_changes(self, reveal: bool) -> None:
        """Draws what has changed. With `reveal` it scrolls to the cursor."""
        if reveal and not self._cursor_in_sight:
            self._show_cursor()
        if self.list.selected != self._last_selected:
            self._last_selected = self.list.selected
            self.post_message(self.Selected(self))
        self.retitle()
        self.refresh_changed()

    def _read_on_soon(self) -> None:
        if not self._reads_on_soon:
            self._reads_on_soon = True
            fires_late(self.set_timer(READ_ON_AFTER, self._read_on))

    def _read_on(self) -> None:
        self._reads_on_soon = False
        self.reload()

    @property
    def first(self) -> int:
        """The number of the first row in sight."""
        return int(self.scroll_offset.y)

    def in_sight(self) -> list[Row]:
        """The rows that are seen, as they were read last."""
        shown = range(self.first, self.first + self.size.height) if self.display else ()
        return [row for number in shown if (row := self.list.rows.get(number)) is not None]

    @property
    def _cursor_in_sight(self) -> bool:
        return 0 <= self.list.cursor - self.first < self.size.height - HEADER

    def repeat_key(self, key: str, times: int) -> bool:
        """Does what a key does several times at once: a key that is held is typed faster than its
        steps can be drawn. False if it is no key that moves."""
        if key not in MOVES:
            return False
        name, step = MOVES[key]
        getattr(self, f"action_{name}")(step * times)
        return True

    def action_move(self, step: int) -> None:
        """Selects a row above or below."""
        if self.loaded:
            self._moved(self.list.move_by(step))
        else:
            self.go_to(self.list.cursor + step)

    def action_page(self, direction: int) -> None:
        """Selects a row a page above or below, or several pages."""
        self.go_to(self.list.cursor + direction * max(1, self.size.height - HEADER - 1))

    def action_half_page(self, direction: int) -> None:
        """Selects a row half a page above or below."""
        self.go_to(self.list.cursor + direction * half_of(self.size.height - HEADER))

    def action_edge(self, last: bool) -> None:
        """Selects the first or the last row."""
        self.go_to(self.list.matching if last else 0)

    def go_to(self, number: int) -> None:
        """Selects the row at a number, or the nearest. Before the list is read it is the row that
        will be there."""
        if self.loaded:
            self._moved(self.list.move_to(number))
        else:
            self.list.select("", max(0, number))

    def _moved(self, changed: bool) -> None:
        if changed:
            self._last_selected = self.list.selected
            self.post_message(self.Selected(self))
        self._show_cursor()
        self.refresh_changed()

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.list.cursor, 1, 1 + HEADER), force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Reads what came into sight."""
        super().watch_scroll_y(old_value, new_value)
        if self.loaded and not self.list.holds(self.first, self.size.height):
            self.reload()

    def on_resize(self) -> None:
        """Scrolls to the cursor if it was in sight."""
        if not self._height or 0 <= self.list.cursor - self.first < self._height - HEADER:
            self._show_cursor()
        self._height = self.size.height
        if self.loaded and self.list.holds(self.first, self.size.height):
            self._fit_to_rows()
            self._show_changes(reveal=False)  # of the rows that are in sight now
        else:
            self.reload()
