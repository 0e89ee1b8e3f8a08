"""The part of a long list that a table holds, and which of its rows are selected and marked. Pure.

Selection and marks are keys, not numbers: rows that move do not move them, and a row that is not in
the list is neither selected nor marked.
"""

from collections.abc import Callable, Mapping, Sequence, Set
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
        self.key = ""  # of the selected row, or of one that is looked for; empty without one
        self.selected: Row | None = None  # None while it is not known to be in the list
        self._takes_place = True  # the row at the cursor is selected as soon as it is read
        self._else_first = False  # the first row is selected if the key is not in the list
        self._seeks = True  # a key that was not read is looked for in the whole list
        self._found: set[str] = set()  # keys whose places were read since `place`
        self.marks: dict[str, Row] = {}  # also those that are not in the list now
        self._mark_places: dict[str, int] = {}  # of those in the list; what was read last is last
        self._absent: set[str] = set()  # marks that were looked for in vain

    @property
    def rows(self) -> Mapping[int, Row]:
        """What is held."""
        return self._rows

    @property
    def marked(self) -> Sequence[Row]:
        """The marked rows that are in the list, in the order in which they were marked."""
        return [row for key, row in self.marks.items() if key in self._mark_places]

    @property
    def sought(self) -> Mapping[str, int]:
        """Selected and marked rows whose places were not read since `place`, and where they stood
        before that, or could stand."""
        keys = {key: self._mark_places.get(key, 0) for key in self.marks if key not in self._absent}
        if self.key:
            keys[self.key] = self.cursor
        return {key: number for key, number in keys.items() if key not in self._found}

    @property
    def sought_marks(self) -> Mapping[str, int]:
        """Those of `sought` that are marked and have stood somewhere, the longest unread first."""
        places = self._mark_places.items()
        return {key: number for key, number in places if key not in self._found}

    @property
    def unknown(self) -> Set[str]:
        """Those of `sought` that may stand anywhere: the selected row, and marked rows that have
        no last place, or were not read there."""
        return {key for key in self.sought if key == self.key or key not in self._mark_places}

    def wanted(self, first: int, height: int) -> tuple[int, int]:
        """Offset and limit of what to read when `height` rows from `first` on are seen."""
        offset = max(0, first - MARGIN)
        return offset, first + height + MARGIN - offset

    def covers(self, first: int, height: int) -> bool:
        """Whether all of these rows, as far as they exist, are held."""
        last = min(first + height, self.matching)
        return all(number in self._rows for number in (first, last - 1) if first <= number < last)

    def place(self, offset: int, page: Page[Row]) -> None:
        """Holds a page from now on, and learns from it as `note` does."""
        self.matching, self.total, self.partial = page.matching, page.total, page.partial
        self._rows = dict(enumerate(page.rows, offset))
        self._found.clear()
        self.note(offset, page)
        if self.key not in self._found and self._else_first and not self._seeks:
            self._select_first()
        if self._takes_place:
            self.cursor = max(0, min(self.cursor, self.matching - 1))
            self._select_held()

    def note(self, offset: int, page: Page[Row]) -> None:
        """Learns from a page which of the selected and marked rows stand in it, and which do no
        longer."""
        here = range(offset, offset + len(page.rows))
        if self.key not in self._found and (self.cursor in here or self.cursor >= page.matching):
            self.selected = None
        for key, number in [*self._mark_places.items()]:
            if key not in self._found and (number in here or number >= page.matching):
                del self._mark_places[key]
        for number, row in enumerate(page.rows, offset):
            key = self._key_of(row)
            if key == self.key:
                self.cursor, self.selected, self._else_first = number, row, False
                self._found.add(key)
            if key in self.marks:
                self._mark_places.pop(key, None)
                self.marks[key], self._mark_places[key] = row, number
                self._absent.discard(key)
                self._found.add(key)

    def give_up(self) -> None:
        """All pages were read: what is still sought is not in the list. Nothing is selected in its
        place until the operator moves: a key must not act on a row that has just come there."""
        for key in self.sought:
            if key in self.marks:
                self._absent.add(key)
                self._mark_places.pop(key, None)
            if key == self.key:
                self._lose_selected()

    def _lose_selected(self) -> None:
        self.key, self.selected = "", None
        self._takes_place = not self.matching
        if self._else_first:
            self._select_first()

    def _select_first(self) -> None:
        self.cursor, self._else_first = 0, False
        self._select_held()

    def _select_held(self) -> None:
        """Selects the row at the cursor, now or when it is read."""
        self.selected = self._rows.get(self.cursor)
        self.key = self._key_of(self.selected) if self.selected is not None else ""
        self._takes_place = self.selected is None
        if self.key:
            self._found.add(self.key)

    def move_by(self, step: int) -> bool:
        """Selects the row so far above or below; whether the selection changed. Where nothing is
        selected, the row below is the one that stands at the cursor."""
        lost = not self.key and not self._takes_place
        return self.move_to(self.cursor + step - (1 if lost and step > 0 else 0))

    def move_to(self, number: int) -> bool:
        """Selects the row at `number`, as near as there is one; whether the selection changed."""
        before = self.key
        self.cursor, self._else_first = max(0, min(number, self.matching - 1)), False
        self._select_held()
        return self.key != before

    def select(self, key: str, number: int) -> None:
        """Selects a row that may stand at `number`; without a key the one that stands there when it
        is read."""
        self.key, self.cursor, self.selected = key, number, None
        self._takes_place, self._seeks = not key, True
        self._found.discard(key)

    def restart(self, *, seeks: bool) -> None:
        """Another list: the selected row stays selected if it is in it, else the first one is.

        Args:
            seeks: whether to look for it in the whole list, not only among the first rows.
        """
        self._rows, self.cursor, self.selected = {}, 0, None
        self._takes_place = not self.key
        self._else_first, self._seeks = bool(self.key), seeks
        self._found.clear()
        self._absent.clear()
        self._mark_places.clear()

    def toggle_mark(self) -> None:
        """Marks the selected row, or takes the mark away."""
        if self.selected is None:
            return
        self._absent.discard(self.key)
        if self.marks.pop(self.key, None) is None:
            self.marks[self.key], self._mark_places[self.key] = self.selected, self.cursor
        else:
            self._mark_places.pop(self.key, None)

    def clear_marks(self) -> None:
        """Takes all marks away."""
        self.marks.clear()
        self._mark_places.clear()
        self._absent.clear()
