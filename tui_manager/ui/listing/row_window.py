"""The part of a long list that a table holds, and which of its rows are selected and marked. Pure.

Selection and marks are keys, and not numbers: they stay on their rows when these move. A row that
is not in the list is neither selected nor marked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Generic

from tui_manager.domain.lists.list_window import Page, Row

MARGIN = 40  # rows read beyond what is seen, on both sides


class RowWindow(Generic[Row]):
    """Rows by their number in the list. Only those that were read are held.

    Args:
        key_of: what identifies a row, whatever its number.
    """

    def __init__(self, key_of: Callable[[Row], str]) -> None:
        self._key_of = key_of
        self._rows: dict[int, Row] = {}
        self.matching = 0
        self.total = 0
        self.partial = False  # a filter has not seen all rows yet
        self.cursor = 0
        self.key = ""  # of the row that is selected or looked for; empty for none
        self.selected: Row | None = None  # None unless it is known to be in the list
        self._select_at_cursor = True  # the row at the cursor is selected as soon as it is read
        self._select_first_if_absent = False
        self._search_all = True  # a key that was not read is looked for in the whole list
        self._found: set[str] = set()  # keys whose numbers were read since `hold_page`
        self.marks: dict[str, Row] = {}  # also rows that are not in the list now
        # Of marks in the list; the one that was read last is last.
        self._mark_numbers: dict[str, int] = {}
        self._absent: set[str] = set()  # marks that are not in the list

    @property
    def rows(self) -> Mapping[int, Row]:
        """What is held."""
        return self._rows

    @property
    def marked(self) -> Sequence[Row]:
        """The marked rows that are in the list, in the order in which they were marked."""
        return [row for key, row in self.marks.items() if key in self._mark_numbers]

    @property
    def only_hidden_marks(self) -> bool:
        """Whether there are marks, and none of them is on a row that is in the list."""
        return bool(self.marks) and not self._mark_numbers

    @property
    def missing(self) -> Mapping[str, int]:
        """The keys of the selected row and of marks that were not read since `hold_page`, and their
        last or likely numbers."""
        keys = {
            key: self._mark_numbers.get(key, 0) for key in self.marks if key not in self._absent
        }
        if self.key:
            keys[self.key] = self.cursor
        return {key: number for key, number in keys.items() if key not in self._found}

    @property
    def missing_marks(self) -> Mapping[str, int]:
        """The marks among `missing` that have a last number, the longest unread first."""
        numbers = self._mark_numbers.items()
        return {key: number for key, number in numbers if key not in self._found}

    @property
    def missing_anywhere(self) -> Set[str]:
        """The keys among `missing` that may have any number: the selected row, and marks without a
        last number, or that were not found there."""
        return {key for key in self.missing if key == self.key or key not in self._mark_numbers}

    def page_around(self, first: int, height: int) -> tuple[int, int]:
        """The offset and limit of the page to read for `height` rows from `first` on."""
        offset = max(0, first - MARGIN)
        return offset, first + height + MARGIN - offset

    def holds(self, first: int, height: int) -> bool:
        """Whether all of these rows that exist are held."""
        last = min(first + height, self.matching)
        return all(number in self._rows for number in (first, last - 1) if first <= number < last)

    def hold_page(self, offset: int, page: Page[Row]) -> None:
        """Holds a page in place of the last one, and learns from it."""
        self.matching, self.total, self.partial = page.matching, page.total, page.partial
        self._rows = dict(enumerate(page.rows, offset))
        self._found.clear()
        self.learn(offset, page)
        if self.key not in self._found and self._select_first_if_absent and not self._search_all:
            self._select_first()
        if self._select_at_cursor:
            self.cursor = max(0, min(self.cursor, self.matching - 1))
            self._select_held()

    def learn(self, offset: int, page: Page[Row]) -> None:
        """Learns from a page which of the selected and marked rows are in it, and which are not any
        more. It is newer than the pages before it."""
        here = range(offset, offset + len(page.rows))
        if self.cursor in here or self.cursor >= page.matching:
            self.selected = None
            self._found.discard(self.key)
        for key, number in [*self._mark_numbers.items()]:
            if number in here or number >= page.matching:
                del self._mark_numbers[key]
                self._found.discard(key)
        for number, row in enumerate(page.rows, offset):
            if number in self._rows:
                self._rows[number] = row
            key = self._key_of(row)
            if key == self.key:
                self.cursor, self.selected, self._select_first_if_absent = number, row, False
                self._found.add(key)
            if key in self.marks:
                self._mark_numbers.pop(key, None)
                self.marks[key], self._mark_numbers[key] = row, number
                self._absent.discard(key)
                self._found.add(key)

    def set_missing_absent(self) -> None:
        """All pages were read: what is still missing is not in the list. Nothing else is selected
        until the operator moves: a key must not act on a row that has just come there."""
        for key in self.missing:
            if key in self.marks:
                self._absent.add(key)
                self._mark_numbers.pop(key, None)
            if key == self.key:
                self._deselect()

    def _deselect(self) -> None:
        self.key, self.selected = "", None
        self._select_at_cursor = not self.matching
        if self._select_first_if_absent:
            self._select_first()

    def _select_first(self) -> None:
        self.cursor, self._select_first_if_absent = 0, False
        self._select_held()

    def _select_held(self) -> None:
        """Selects the row at the cursor, now or as soon as it is read."""
        self.selected = self._rows.get(self.cursor)
        self.key = self._key_of(self.selected) if self.selected is not None else ""
        self._select_at_cursor = self.selected is None
        if self.key:
            self._found.add(self.key)

    def move_by(self, step: int) -> bool:
        """Selects the row so many rows above or below. Returns whether the selection changed. If
        nothing is selected, the next row below is the one at the cursor."""
        lost = not self.key and not self._select_at_cursor
        return self.move_to(self.cursor + step - (1 if lost and step > 0 else 0))

    def move_to(self, number: int) -> bool:
        """Selects the row at `number`, or the nearest. Returns whether the selection changed."""
        before = self.key
        self.cursor, self._select_first_if_absent = max(0, min(number, self.matching - 1)), False
        self._select_held()
        return self.key != before

    def select(self, key: str, number: int) -> None:
        """Selects a row that is likely at `number`. Without a key it is the row that is there when
        it is read."""
        self.key, self.cursor, self.selected = key, number, None
        self._select_at_cursor, self._search_all = not key, True
        self._found.discard(key)

    def deselect(self) -> None:
        """Selects no row until the operator moves, or `select` is called."""
        self.key, self.selected = "", None
        self._select_at_cursor = self._select_first_if_absent = False

    def restart(self, *, search_all: bool) -> None:
        """Begins another list. The selected row stays selected if it is in it, else the first is.

        Args:
            search_all: whether it is looked for in the whole list, not only in the first page.
        """
        self._rows, self.cursor, self.selected = {}, 0, None
        self._select_at_cursor = not self.key
        self._select_first_if_absent, self._search_all = bool(self.key), search_all
        self._found.clear()
        self._absent.clear()
        self._mark_numbers.clear()

    def toggle_mark(self) -> None:
        """Marks the selected row, or takes the mark away."""
        if self.selected is None:
            return
        self._absent.discard(self.key)
        if self.marks.pop(self.key, None) is None:
            self.marks[self.key], self._mark_numbers[self.key] = self.selected, self.cursor
        else:
            self._mark_numbers.pop(self.key, None)

    def mark_first(self, rows: Sequence[Row]) -> None:
        """Marks the first rows of the list, or takes the marks away if all have one."""
        by_key = {self._key_of(row): (number, row) for number, row in enumerate(rows)}
        if by_key.keys() <= self.marks.keys():
            for key in by_key:
                del self.marks[key]
                self._mark_numbers.pop(key, None)
                self._absent.discard(key)
            return
        for key, (number, row) in by_key.items():
            self.marks[key], self._mark_numbers[key] = row, number
            self._absent.discard(key)

    def clear_marks(self) -> None:
        """Takes all marks away."""
        self.marks.clear()
        self._mark_numbers.clear()
        self._absent.clear()

    def take_absent_marks(self) -> dict[str, Row]:
        """Takes the marks away that are not in the list."""
        return self.take_marks([*self._absent])

    def take_marks(self, keys: Iterable[str]) -> dict[str, Row]:
        """Takes the marks of these rows away, which all have one."""
        taken = {key: self.marks.pop(key) for key in keys}
        for key in taken:
            self._mark_numbers.pop(key, None)
            self._absent.discard(key)
        return taken

    def add_marks(self, rows: Mapping[str, Row]) -> None:
        """Marks rows that may be in the list, at any number."""
        self.marks.update(rows)
