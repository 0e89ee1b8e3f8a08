"""How a list of any length is drawn as a table: columns, header, title, what an empty one says."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import events
from textual.strip import Strip

from tui_manager.domain.window import Row
from tui_manager.ui.render.cells import Column, Role, Span, Spans, fit, share
from tui_manager.ui.render.table import (
    GUTTER,
    Shares,
    filtered_away,
    header_spans,
    row_spans,
    sort_at,
    table_title,
)
from tui_manager.ui.widgets.row_list import HEADER, RowList


class RowTable(RowList[Row]):
    """Base of the tables: a subclass says where its rows come from and how they look."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor", "row--header"}
    TITLE: ClassVar[str]
    NOUN: ClassVar[str]  # what its rows are
    FILTERS: ClassVar[str] = "name, label or status"  # what a filter is looked for in
    COLUMNS: ClassVar[Sequence[Column]] = ()

    # What a subclass says.

    def cell(self, row: Row, key: str, width: int) -> Spans:
        """What stands in a column."""
        raise NotImplementedError

    def empty_lines(self) -> Sequence[Spans]:
        """What stands in an empty, unfiltered table."""
        raise NotImplementedError

    @property
    def columns(self) -> Sequence[Column]:
        """The columns now."""
        return self.COLUMNS

    def shares_of(self, row: Row) -> Shares:
        """The columns of one row; a row may use some of them for something else."""
        return self._shares

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
        return share(self.columns, self.size.width - GUTTER)

    def render_line(self, y: int) -> Strip:
        """The header, a row, or a line of what an empty table says."""
        base = self.rich_style
        width = self.size.width
        if not self.list.matching:
            return self.strip(self.paint(self._empty_line(y), base), width, base)
        if y < HEADER:
            header = base + self.get_component_rich_style("row--header", partial=True)
            return self.strip(
                self.paint(header_spans(self._shares, self.window), header), width, header
            )
        number = self.first + y - HEADER
        row = self.list.rows.get(number)
        if row is None:
            waiting = fit((Span("  …", Role.MUTED),), width) if number < self.list.matching else ()
            return self.strip(self.paint(waiting, base), width, base)
        key = self.key_of(row)
        if current := key == self.list.key:
            base += self.get_component_rich_style("row--cursor", partial=True)
        line = row_spans(
            self.shares_of(row),
            partial(self.cell, row),
            current=current,
            marked=key in self.list.marks,
        )
        return self.strip(self.paint(line, base), width, base)

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
        self.border_title = table_title(
            self.TITLE,
            self.window,
            matching=self.list.matching,
            total=self.list.total,
            marked=len(self.list.marks),
            partial=self.list.partial,
        )
