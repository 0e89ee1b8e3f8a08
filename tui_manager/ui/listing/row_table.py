"""Draws a list of any length as a table: columns, header, title, and a text if it is empty."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, NamedTuple, Self

from textual import events
from textual.geometry import Region
from textual.strip import Strip

from tui_manager.domain.lists.list_window import Row
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit
from tui_manager.ui.listing.row_list import HEADER, RowList
from tui_manager.ui.listing.table_layout import (
    GUTTER,
    Column,
    ColumnWidths,
    fit_columns,
    header_spans,
    no_match_lines,
    row_spans,
    sort_key_at,
    table_title,
)
from tui_manager.ui.manager_link import Link


class _Line(NamedTuple):
    """What one line shows.

    Attributes:
        state: a row, whether it is selected, and whether it is marked; None for other lines.
        component: the class of its style.
    """

    state: tuple[object, bool, bool] | None
    component: str
    spans: Spans


class RowTable(RowList[Row]):
    """Base of the tables. A subclass reads the rows and draws their cells."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor", "row--header"}
    PANE: ClassVar[Pane | None] = None
    NEWEST_FIRST: ClassVar[bool] = False  # in its own order; its frame counts those above the view
    TITLE: ClassVar[str]
    NOUN: ClassVar[str]  # what its rows are
    FILTER_KEYS: ClassVar[Sequence[str]] = ()  # of `key=value` in its filter; else it is one text
    FILTERS: ClassVar[str] = "a text"  # what can be filtered by, as the filter bar says it
    COLUMNS: ClassVar[Sequence[Column]] = ()

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._drawn: dict[int, _Line] = {}
        self._made: dict[int, _Line] = {}  # by `refresh_changed` for the next drawing
        self._made_for: ColumnWidths = ()  # the widths of these lines
        self._fitted_for: tuple[tuple[Column, ...], int] = ((), 0)  # the columns and the width
        self._fitted: tuple[tuple[Column, int], ...] = ()
        self._age = ""
        self._typed_is_wrong = False  # a filter is typed that is wrong; the one before is in force

    # For subclasses.

    def cell(self, row: Row, key: str, width: int, now: datetime) -> Spans:
        """The cell of a row in a column."""
        raise NotImplementedError

    def empty_lines(self) -> Sequence[Spans]:
        """The text of an empty table without a filter."""
        raise NotImplementedError

    def foot(self) -> str:
        """What its frame says below its rows; empty for nothing."""
        newer = self.NEWEST_FIRST and self.first and not self.window.sort
        return f"↑ {self.first:,} newer" if newer else ""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that it has now."""
        return self.COLUMNS

    @property
    def title_words(self) -> str:
        """What its title says before the number of rows."""
        return self.TITLE

    def title_note(self) -> str:
        """What else the title says."""
        return ""

    def widths_of(self, row: Row, widths: ColumnWidths) -> ColumnWidths:
        """The columns of one row. It may merge some of them."""
        return widths

    # The order.

    def sort_by(self, key: str) -> None:
        """Sorts by a column. A second call reverses the order, a third one ends the sorting."""
        window, first = self.window, self._largest_first(key)
        if window.sort != key:
            self.restart(replace(window, sort=key, descending=first))
        elif window.descending is first:
            self.restart(replace(window, descending=not first))
        else:
            self.restart(replace(window, sort="", descending=False))

    def sort_by_next(self, step: int) -> None:
        """Sorts by the next column in sight, or by the one before. Behind the last column comes the
        order that the list has by itself."""
        keys = ["", *(column.sort for column, _ in self._column_widths if column.sort)]
        at = keys.index(self.window.sort) if self.window.sort in keys else 0
        key = keys[(at + step) % len(keys)]
        descending = self._largest_first(key)
        if (key, descending) != (self.window.sort, self.window.descending):
            self.restart(replace(self.window, sort=key, descending=descending))

    def reverse_order(self) -> None:
        """Reverses the order of the column that the list is sorted by."""
        if self.window.sort:
            self.restart(replace(self.window, descending=not self.window.descending))

    def _largest_first(self, key: str) -> bool:
        return any(column.largest_first for column in self.columns if column.sort == key)

    # The mouse.

    def on_click(self, event: events.Click) -> None:
        """Selects a row. A click on the header sorts, a double click opens a row."""
        if (offset := event.get_content_offset(self)) is None:
            return
        if offset.y < HEADER:
            if key := sort_key_at(self._column_widths, offset.x):
                self.sort_by(key)
        elif (number := self.first + offset.y - HEADER) < self.list.matching:
            self.go_to(number)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # Drawing.

    @property
    def _column_widths(self) -> tuple[tuple[Column, int], ...]:
        wanted = (tuple(self.columns), self.scrollable_size.width - GUTTER)
        if wanted != self._fitted_for:  # a drawing asks for each line
            self._fitted_for, self._fitted = wanted, fit_columns(*wanted)
        return self._fitted

    def render_line(self, y: int) -> Strip:
        """The header, a row, or a line of the text of an empty table."""
        line = self._drawn[y] = self._made_line(y) or self._line(
            y, self._column_widths, self.link.data_time()
        )
        base = self.base_style
        if line.component:
            base += self.get_component_rich_style(line.component, partial=True)
        return self.strip(self.paint(line.spans, base), self.size.width, base)

    def _made_line(self, y: int) -> _Line | None:
        """What `refresh_changed` has just made for this line, if it still shows the same row."""
        line = self._made.pop(y, None)
        fits = line is not None and line.state is not None and line.state == self._row_state(y)
        return line if fits and self._made_for == self._column_widths else None

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Draws all lines again, or only some regions. All may be drawn because something else than
        rows has changed, so all lines are made anew."""
        if not regions:
            self._made = {}
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def refresh_changed(self, *, times: bool = False) -> None:
        widths, now, size = self._column_widths, self.link.data_time(), self.size
        self._made, self._made_for = {}, widths
        for y in range(size.height):
            drawn = self._drawn.get(y)
            same = (
                drawn is not None and drawn.state is not None and drawn.state == self._row_state(y)
            )
            if (times or not same) and drawn != (line := self._line(y, widths, now)):
                self._made[y] = line
        if self._made:
            self.refresh(*(Region(0, y, size.width, 1) for y in self._made))

    def _row_state(self, y: int) -> tuple[Row, bool, bool] | None:
        """The row of a line, whether it is selected and marked; None for other lines."""
        row = self.list.rows.get(self.first + y - HEADER) if y >= HEADER else None
        if row is None:
            return None
        key = self.key_of(row)
        return row, key == self.list.key, key in self.list.marks

    def _line(self, y: int, widths: ColumnWidths, now: datetime) -> _Line:
        if not self.list.matching:
            return _Line(None, "", self._empty_line(y))
        if y < HEADER:
            return _Line(None, "row--header", header_spans(widths, self.window))
        if (state := self._row_state(y)) is None:
            waits = self.first + y - HEADER < self.list.matching
            return _Line(
                None, "", fit((Span("  …", Role.MUTED),), self.size.width) if waits else ()
            )
        row, current, marked = state
        spans = row_spans(
            self.widths_of(row, widths),
            lambda key, width: self.cell(row, key, width, now),
            current=current,
            marked=marked,
        )
        return _Line(state, "row--cursor" if current else "", spans)

    def _empty_line(self, y: int) -> Spans:
        if not self.loaded or self.list.partial:
            return (Span("  …", Role.MUTED),) if y == 1 else ()
        filtered = (self.window.text or self.window.faults_only) and self.list.total
        lines = (
            no_match_lines(self.NOUN, self.list.total, self.window, self.link.keys)
            if filtered
            else self.empty_lines()
        )
        return (Span("  "), *lines[y - 1]) if 0 < y <= len(lines) else ()

    def retitle(self) -> None:
        title = table_title(
            self.title_words,
            self.window,
            matching=self.list.matching,
            total=self.list.total,
            marked=len(self.list.marks),
            absent=len(self.list.marks) - len(self.list.marked),
            partial=self.list.partial,
            note=self.title_note(),
            typed_is_wrong=self._typed_is_wrong,
        )
        self.set_title(title)
        self.show_age(self._age)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other rows are above the view."""
        super().watch_scroll_y(old_value, new_value)
        self.show_age(self._age)

    def show_typed_wrong(self, typed_is_wrong: bool) -> None:
        """Marks what is shown as not filtered by what is typed, or ends that."""
        if typed_is_wrong is not self._typed_is_wrong:
            self._typed_is_wrong = typed_is_wrong
            self.set_class(typed_is_wrong, "-not-as-typed")
            self.retitle()

    def show_age(self, age: str) -> None:
        self._age = age
        self.set_foot(age or self.foot())
