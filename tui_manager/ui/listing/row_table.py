"""How a list of any length is drawn as a table: columns, header, title, what an empty one says."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple

from textual import events
from textual.geometry import Region
from textual.strip import Strip

from tui_manager.domain.window import Row
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit
from tui_manager.ui.listing.row_list import HEADER, RowList
from tui_manager.ui.listing.table_layout import (
    GUTTER,
    Column,
    Shares,
    filtered_away,
    header_spans,
    row_spans,
    share,
    sort_at,
    table_title,
)
from tui_manager.ui.manager_link import Link


class _Line(NamedTuple):
    """What one line says.

    Attributes:
        shows: a row, whether it is selected, and whether it is marked; None: another line.
        component: the class of its style.
    """

    shows: tuple[object, bool, bool] | None
    component: str
    spans: Spans


class RowTable(RowList[Row]):
    """Base of the tables: a subclass says where its rows come from and how they look."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor", "row--header"}
    TITLE: ClassVar[str]
    NOUN: ClassVar[str]  # what its rows are
    FILTERS: ClassVar[str] = "name, label or status"  # what a filter is looked for in
    COLUMNS: ClassVar[Sequence[Column]] = ()

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self._drawn: dict[int, _Line] = {}

    # What a subclass says.

    def cell(self, row: Row, key: str, width: int, now: datetime) -> Spans:
        """What stands in a column."""
        raise NotImplementedError

    def empty_lines(self) -> Sequence[Spans]:
        """What stands in an empty, unfiltered table."""
        raise NotImplementedError

    @property
    def columns(self) -> Sequence[Column]:
        """The columns now."""
        return self.COLUMNS

    def shares_of(self, row: Row, shares: Shares) -> Shares:
        """The columns of one row, which may use some of them for something else."""
        return shares

    # The mouse.

    def on_click(self, event: events.Click) -> None:
        """Selects a row; the header sorts; a double click opens."""
        if (offset := event.get_content_offset(self)) is None:
            return
        if offset.y < HEADER:
            if key := sort_at(self._shares, offset.x):
                self.sort_by(key)
        elif (number := self.first + offset.y - HEADER) < self.list.matching:
            self.go_to(number)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # Drawing.

    @property
    def _shares(self) -> tuple[tuple[Column, int], ...]:
        return share(self.columns, self.scrollable_size.width - GUTTER)

    def render_line(self, y: int) -> Strip:
        """The header, a row, or a line of what an empty table says."""
        line = self._drawn[y] = self._line(y, self._shares, self.link.known_at())
        base = self.rich_style
        if line.component:
            base += self.get_component_rich_style(line.component, partial=True)
        return self.strip(self.paint(line.spans, base), self.size.width, base)

    def refresh_changed(self, *, times: bool = False) -> None:
        shares, now = self._shares, self.link.known_at()
        for y in range(self.size.height):
            drawn = self._drawn.get(y)
            same = drawn is not None and drawn.shows is not None and drawn.shows == self._shows(y)
            if (times or not same) and drawn != self._line(y, shares, now):
                self.refresh(Region(0, y, self.size.width, 1))

    def _shows(self, y: int) -> tuple[Row, bool, bool] | None:
        """The row at a line, whether it is selected and marked; None where there is no row."""
        row = self.list.rows.get(self.first + y - HEADER) if y >= HEADER else None
        if row is None:
            return None
        key = self.key_of(row)
        return row, key == self.list.key, key in self.list.marks

    def _line(self, y: int, shares: Shares, now: datetime) -> _Line:
        if not self.list.matching:
            return _Line(None, "", self._empty_line(y))
        if y < HEADER:
            return _Line(None, "row--header", header_spans(shares, self.window))
        if (shows := self._shows(y)) is None:
            waits = self.first + y - HEADER < self.list.matching
            return _Line(
                None, "", fit((Span("  …", Role.MUTED),), self.size.width) if waits else ()
            )
        row, current, marked = shows
        spans = row_spans(
            self.shares_of(row, shares),
            lambda key, width: self.cell(row, key, width, now),
            current=current,
            marked=marked,
        )
        return _Line(shows, "row--cursor" if current else "", spans)

    def _empty_line(self, y: int) -> Spans:
        if not self.loaded or self.list.partial:
            return (Span("  …", Role.MUTED),) if y == 1 else ()
        filtered = (self.window.text or self.window.faults_only) and self.list.total
        lines = (
            filtered_away(self.NOUN, self.list.total, self.window)
            if filtered
            else self.empty_lines()
        )
        return (Span("  "), *lines[y - 1]) if 0 < y <= len(lines) else ()

    def retitle(self) -> None:
        title = table_title(
            self.TITLE,
            self.window,
            matching=self.list.matching,
            total=self.list.total,
            marked=len(self.list.marks),
            absent=len(self.list.marks) - len(self.list.marked),
            partial=self.list.partial,
        )
        self.entitle(title)
