"""Lists with a filter that no index serves. A question looks at a bounded number of rows, so that
it costs the same however long the list is; a scan remembers what passed and how far it came."""

import json
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import neg
from typing import Generic, Protocol, TypeVar

from tui_manager.domain.changes import Changes
from tui_manager.domain.window import LIMIT_MAX, Window
from tui_manager.storage.engine.connection import Transaction

LOOKS = 5_000  # rows that one question looks at, at most
Place = TypeVar("Place")


def ids_of(tx: Transaction, query: str, values: Mapping[str, object]) -> list[int]:
    """What a query finds that asks for ids alone."""
    cursor = tx.cursor()
    cursor.row_factory = None  # a plain tuple is cheaper, and there may be many
    return [row for (row,) in cursor.execute(query, values)]


@dataclass(frozen=True, slots=True)
class Look(Generic[Place]):
    """What a look found.

    Attributes:
        passed: ids of rows, in the order of the list.
        go_on: where the next look begins; None: this was the end of the list.
    """

    passed: Sequence[int]
    go_on: Place | None


class Scan(Generic[Place]):
    """A filtered list as far as it was looked at."""

    def __init__(self, start: Place) -> None:
        self.found = array("q")  # 8 bytes for each row that passed
        self._place: Place | None = start

    @property
    def partial(self) -> bool:
        """Whether there is more to look at."""
        return self._place is not None

    def look(self, tx: Transaction, place: Place) -> Look[Place]:
        """Looks at `LOOKS` rows from a place on; the filter's own."""
        raise NotImplementedError

    def survives(self, changes: Changes) -> bool:
        """Takes what has changed since the last question; False when the scan must begin anew."""
        raise NotImplementedError

    def go_on(self, tx: Transaction) -> None:
        """Looks at what comes next."""
        if self._place is not None:
            found = self.look(tx, self._place)
            self.found.extend(found.passed)
            self._place = found.go_on

    def ids(self, window: Window) -> str:
        """The ids of a window, as a JSON array for the database."""
        end = window.offset + min(window.limit, LIMIT_MAX)
        return json.dumps(self.found[window.offset : end].tolist())


class ById(Protocol):
    """The filter of a list in which the newest row, the one with the highest id, stands first."""

    def newest(self, tx: Transaction) -> int:
        """The highest id; 0 when there is no row."""
        ...

    def last(self, tx: Transaction, high: int, looks: int) -> int | None:
        """The last of so many rows from `high` downwards; None when there are not so many."""
        ...

    def passing(self, tx: Transaction, high: int, low: int) -> list[int]:
        """Of the rows from `high` down to `low` those that pass, downwards."""
        ...

    def passing_of(self, tx: Transaction, ids: Collection[int]) -> list[int]:
        """Which of these rows pass."""
        ...


class NewestFirst(Scan[int]):
    """A scan of a list by id: new rows are put in front, changed ones are judged anew.

    Args:
        changes: whether a task that changes may pass from then on, or no longer.
    """

    def __init__(self, rows: ById, *, changes: bool) -> None:
        super().__init__(0)
        self._rows = rows
        self._changes = changes
        self._newest: int | None = None
        self._changed: deque[frozenset[int]] = deque()  # told in one thread, taken in another

    def survives(self, changes: Changes) -> bool:
        if self._changes:
            self._changed.append(changes.tasks)
        return not (self._changes and changes.all_tasks)

    def look(self, tx: Transaction, place: int) -> Look[int]:
        last = self._rows.last(tx, place, LOOKS)
        passed = self._rows.passing(tx, place, last or 0)
        return Look(passed, None if last is None else last - 1)

    def go_on(self, tx: Transaction) -> None:
        newest = self._rows.newest(tx)
        if self._newest is None or not self._takes_new(tx, newest):
            self.found, self._place = array("q"), newest
        self._newest = newest
        self._judge(tx)
        super().go_on(tx)

    def _takes_new(self, tx: Transaction, newest: int) -> bool:
        """Puts what has come since in front; False when it is too much for one question."""
        assert self._newest is not None
        if newest <= self._newest:
            return True
        last = self._rows.last(tx, newest, LOOKS)
        if last is not None and last > self._newest + 1:
            return False
        passed = self._rows.passing(tx, newest, self._newest + 1)
        self.found = array("q", passed) + self.found
        return True

    def _judge(self, tx: Transaction) -> None:
        changed: set[int] = set()
        while self._changed:
            changed |= self._changed.popleft()
        seen = {row for row in changed if self._place is None or row > self._place}
        passing = set(self._rows.passing_of(tx, seen)) if seen else seen
        for row in seen:
            at = bisect_left(self.found, -row, key=neg)
            listed = at < len(self.found) and self.found[at] == row
            if listed and row not in passing:
                del self.found[at]
            elif not listed and row in passing:
                self.found.insert(at, row)
