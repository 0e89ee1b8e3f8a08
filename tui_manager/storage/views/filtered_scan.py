"""Filtered lists, each window at a bounded cost. A scan looks at a bounded number of rows for each
question, remembers which of them passed the filter, and continues there at the next question."""

import json
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import neg
from typing import Generic, Protocol, TypeVar

from tui_manager.domain.changes import Changes
from tui_manager.domain.list_window import LIMIT_MAX, Window
from tui_manager.storage.engine.connection import Transaction

ROWS_A_STEP = 5_000  # rows that one question looks at, at most
Position = TypeVar("Position")


def ids_of(tx: Transaction, query: str, values: Mapping[str, object]) -> list[int]:
    """The result of a query that selects ids alone."""
    cursor = tx.cursor()
    cursor.row_factory = None  # a plain tuple is cheaper, and there may be many
    return [row for (row,) in cursor.execute(query, values)]


@dataclass(frozen=True, slots=True)
class ScanStep(Generic[Position]):
    """The result of one step.

    Attributes:
        passed: ids of the rows that passed, in the order of the list.
        next_position: where the next step begins; None: the list ends here.
    """

    passed: Sequence[int]
    next_position: Position | None


class Scan(Generic[Position]):
    """A filtered list, as far as it has been read."""

    def __init__(self, start: Position) -> None:
        self.found = array("q")  # 8 bytes for each row that passed
        self._position: Position | None = start

    @property
    def partial(self) -> bool:
        """Whether there is more to look at."""
        return self._position is not None

    def step(self, tx: Transaction, position: Position) -> ScanStep[Position]:
        """Looks at `ROWS_A_STEP` rows from a position on; each list has its own way."""
        raise NotImplementedError

    def accept_changes(self, changes: Changes) -> bool:
        """Takes what has changed since the last question; False: the scan must begin anew."""
        raise NotImplementedError

    def advance(self, tx: Transaction) -> None:
        """Takes the next step, if there is one."""
        if self._position is not None:
            step = self.step(tx, self._position)
            self.found.extend(step.passed)
            self._position = step.next_position

    def ids(self, window: Window) -> str:
        """The ids of a window, as a JSON array for the database."""
        end = window.offset + min(window.limit, LIMIT_MAX)
        return json.dumps(self.found[window.offset : end].tolist())


class FilteredRows(Protocol):
    """The queries of a filtered list in which the newest row, with the highest id, comes first."""

    def newest(self, tx: Transaction) -> int:
        """The highest id; 0 if there is no row."""
        ...

    def last(self, tx: Transaction, high: int, count: int) -> int | None:
        """The id of the last of `count` rows from `high` downwards; None if there are fewer."""
        ...

    def passing(self, tx: Transaction, high: int, low: int) -> list[int]:
        """The rows from `high` down to `low` that pass, in this order."""
        ...

    def passing_of(self, tx: Transaction, ids: Collection[int]) -> list[int]:
        """Those of these rows that pass."""
        ...


class NewestFirst(Scan[int]):
    """A scan of a list by id. New rows are put in front, and changed rows are checked again.

    Args:
        changes: whether a change of a task may change whether its row passes.
    """

    def __init__(self, rows: FilteredRows, *, changes: bool) -> None:
        super().__init__(0)
        self._rows = rows
        self._changes = changes
        self._newest: int | None = None
        self._changed: deque[frozenset[int]] = deque()  # filled in one thread, read in another

    def accept_changes(self, changes: Changes) -> bool:
        if self._changes:
            self._changed.append(changes.tasks)
        return not (self._changes and changes.all_tasks)

    def step(self, tx: Transaction, position: int) -> ScanStep[int]:
        last = self._rows.last(tx, position, ROWS_A_STEP)
        passed = self._rows.passing(tx, position, last or 0)
        return ScanStep(passed, None if last is None else last - 1)

    def advance(self, tx: Transaction) -> None:
        newest = self._rows.newest(tx)
        if self._newest is None or not self._add_new_rows(tx, newest):
            self.found, self._position = array("q"), newest
        self._newest = newest
        self._check_changed_rows(tx)
        super().advance(tx)

    def _add_new_rows(self, tx: Transaction, newest: int) -> bool:
        """Puts new rows in front; False if they are too many for one question."""
        assert self._newest is not None
        if newest <= self._newest:
            return True
        last = self._rows.last(tx, newest, ROWS_A_STEP)
        if last is not None and last > self._newest + 1:
            return False
        passed = self._rows.passing(tx, newest, self._newest + 1)
        self.found = array("q", passed) + self.found
        return True

    def _check_changed_rows(self, tx: Transaction) -> None:
        changed: set[int] = set()
        while self._changed:
            changed |= self._changed.popleft()
        seen = {row for row in changed if self._position is None or row > self._position}
        passing = set(self._rows.passing_of(tx, seen)) if seen else seen
        for row in seen:
            at = bisect_left(self.found, -row, key=neg)
            listed = at < len(self.found) and self.found[at] == row
            if listed and row not in passing:
                del self.found[at]
            elif not listed and row in passing:
                self.found.insert(at, row)
