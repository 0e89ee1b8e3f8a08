"""The part of a long list that a table holds, and which of its rows is selected. Pure.

The selection is a row's key, not its number: rows that move do not move it.
"""

from collections.abc import Callable, Mapping
from typing import Generic

from tui_manager.domain.window import Page, Row

MARGIN = 40  # rows read beyond what is seen, on both sides


class RowWindow(Generic[Row]):
    """Rows by their number in the list, as far as they were read.

    Args:
        key_of: what identifies a row whatever its place.
    """

    def __init__(self, key_of: Callable[[Row], str]) -> None:
        self._key_of = key_of
        self._rows: dict[int, Row] = {}
        self.matching = 0
        self.total = 0
        self.partial = False  # a filter has not seen all rows yet
        self.cursor = 0
        self.key = ""  # of the selected row; empty while nothing is
        self.selected: Row | None = None
        self.marks: dict[str, Row] = {}

    @property
    def rows(self) -> Mapping[int, Row]:
        """What is held."""
        return self._rows

    def wanted(self, first: int, height: int) -> tuple[int, int]:
        """Offset and limit of what to read when `height` rows from `first` on are seen."""
        offset = max(0, first - MARGIN)
        return offset, first + height + MARGIN - offset

    def covers(self, first: int, height: int) -> bool:
        """Whether all of these rows, as far as they exist, are held."""
        last = min(first + height, self.matching)
        return all(number in self._rows for number in (first, last - 1) if first <= number < last)

    def place(self, offset: int, page: Page[Row]) -> None:
        """Takes a page in: the selected row may have moved."""
        more = page.matching - self.matching
        self.matching, self.total, self.partial = page.matching, page.total, page.partial
        self._rows = {offset + number: row for number, row in enumerate(page.rows)}
        for row in page.rows:
            if (key := self._key_of(row)) in self.marks:
                self.marks[key] = row
        found = next((n for n, row in self._rows.items() if self._key_of(row) == self.key), None)
        if found is not None:
            self.cursor = found
            self.selected = self._rows[found]
            return
        # Not among the rows read: gone when these are all there are, else moved out of sight.
        if not self.key or self._holds_all:
            self._select_nearest()
        elif self.cursor in self._rows and more > 0:
            # As many rows came above it; what is read there next says whether it is so.
            self.cursor = min(self.cursor + more, self.matching - 1)

    @property
    def _holds_all(self) -> bool:
        return len(self._rows) == self.matching and not self.partial

    def _select_nearest(self) -> None:
        """The selected row is gone: what stands in its place is selected."""
        self.cursor = max(0, min(self.cursor, self.matching - 1))
        self.selected = self._rows.get(self.cursor)
        self.key = self._key_of(self.selected) if self.selected is not None else ""

    def move_to(self, number: int) -> bool:
        """Selects the row at `number`, as near as there is one; whether the selection changed."""
        before = self.key
        self.cursor = max(0, min(number, self.matching - 1))
        row = self._rows.get(self.cursor)
        self.selected = row
        self.key = self._key_of(row) if row is not None else ""
        return self.key != before

    def select(self, key: str, number: int) -> None:
        """Selects a row that is known to stand at `number`; it may yet have to be read."""
        self.key, self.cursor = key, number

    def forget(self) -> None:
        """Another list: nothing is selected until it is read."""
        self._rows, self.key, self.cursor, self.selected = {}, "", 0, None

    def toggle_mark(self) -> None:
        """Marks the selected row, or takes the mark away."""
        if self.selected is None:
            return
        if self.marks.pop(self.key, None) is None:
            self.marks[self.key] = self.selected
