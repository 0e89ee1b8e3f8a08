"""Filtered lists, each window at a bounded cost. A scan looks at a bounded number of rows for each
question, remembers which of them passed the filter, and continues there at the next question."""

import json
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import compress
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.storage.engine.statements import fetch_packed, pack_values
from tui_manager.storage.engine.transaction import Transaction

ROWS_A_STEP = 1_000  # rows that one question looks at, at most
_INTEGER_MAX = 2**63 - 1  # of SQLite
Position = TypeVar("Position")
FieldsOfRow = Sequence[Any]  # what a query `fields` says of a row: the id first


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
        """The ids of a window, as a JSON array for the database. A row that moved, and whose change
        is not known yet, may have been found twice."""
        end = window.offset + min(window.limit, LIMIT_MAX)
        return pack_values(dict.fromkeys(self.found[window.offset : end]))


class RowPosition(NamedTuple):
    """Where a row stands in a list: rows are sorted by `key`, and by `id` if the keys are the same.
    In a list that is sorted by id all keys are 0."""

    key: int
    id: int


class ScannedRows(NamedTuple):
    """Which of some rows of a list pass a filter.

    Attributes:
        keys, ids: of the rows that pass, in the order of the list.
        last: the place of the last row that was looked at; None: the list ends here.
    """

    keys: Sequence[int]
    ids: Sequence[int]
    last: RowPosition | None


_NOTHING = ScannedRows((), (), None)


class FilteredRows(Protocol):
    """The rows of a filtered list, and which of them pass."""

    @property
    def by_id(self) -> bool:
        """Whether the list is sorted by id, so that a row never moves."""
        ...

    @property
    def descending(self) -> bool:
        """Whether the highest place comes first."""
        ...

    def newest(self, tx: Transaction) -> int:
        """The highest id; 0 if there is no row."""
        ...

    def behind(self, tx: Transaction, place: RowPosition, count: int) -> ScannedRows:
        """Looks at the next `count` rows behind a place, in the order of the list."""
        ...

    def look_at(self, tx: Transaction, ids: Collection[int]) -> ScannedRows:
        """Looks at these rows."""
        ...


_NO_PLACE = {"ids": "[]", "key": 0, "id": 0, "count": 0, "all_pass": False}


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows that the database has; implements FilteredRows.

    Attributes:
        queries: with `newest`, `scan` and `fields`.
        order: what `scan` calls the order of the list.
        values: of `scan` and `fields`, for the filter.
        passes: whether a row passes by its fields what `scan` does not look at; None: all do.
        all_pass: all rows of the order pass what `scan` looks at, so that it need not.
    """

    queries: Mapping[str, str]
    order: str
    values: Mapping[str, object]
    by_id: bool = True
    descending: bool = True
    passes: Callable[[FieldsOfRow], bool] | None = None
    all_pass: bool = False

    def newest(self, tx: Transaction) -> int:
        """See FilteredRows."""
        newest: int = tx.execute(self.queries["newest"]).fetchone()["id"]
        return newest

    def behind(self, tx: Transaction, place: RowPosition, count: int) -> ScannedRows:
        """See FilteredRows."""
        given = {**place._asdict(), "count": count, "all_pass": self.all_pass}
        return self.look(tx, self.order, **given)

    def look_at(self, tx: Transaction, ids: Collection[int]) -> ScannedRows:
        """See FilteredRows."""
        return self.look(tx, "ids", ids=pack_values(ids))

    def look(self, tx: Transaction, scan: str, **given: object) -> ScannedRows:
        """Runs the query `scan` over some rows."""
        values = {**_NO_PLACE, **self.values, "scan": scan, **given}
        row = tx.execute(self.queries["scan"], values).fetchone()
        ids = json.loads(row["ids"])
        keys = [0] * len(ids) if self.by_id else json.loads(row["keys"])
        if self.passes is not None and ids:
            given = {**self.values, "ids": row["ids"]}
            fields = fetch_packed(tx, self.queries["fields"], given)
            passing = {found[0] for found in filter(self.passes, fields)}
            keys = [key for key, id_ in zip(keys, ids, strict=True) if id_ in passing]
            ids = [id_ for id_ in ids if id_ in passing]
        return ScannedRows(keys, ids, row["last"] and RowPosition(*json.loads(row["last"])))


class SortedScan(Scan[RowPosition]):
    """A scan of rows by place. New rows and changed rows are put where they belong.

    Args:
        changes: whether a change of a task may change whether its row passes, or its place.
    """

    def __init__(self, rows: FilteredRows, *, changes: bool) -> None:
        end = _INTEGER_MAX if rows.descending else -_INTEGER_MAX
        self._start = RowPosition(end, end)
        super().__init__(self._start)
        self._keys = array("q")  # of the rows that were found
        self._rows = rows
        self._changes = changes
        self._newest: int | None = None
        self._changed: deque[frozenset[int]] = deque()  # filled in one thread, read in another

    def accept_changes(self, changes: Changes) -> bool:
        if self._changes:
            self._changed.append(changes.tasks)
        return not (self._changes and changes.all_tasks)

    def step(self, tx: Transaction, position: RowPosition) -> ScanStep[RowPosition]:
        looked = self._rows.behind(tx, position, ROWS_A_STEP)
        self._keys.extend(looked.keys)
        return ScanStep(looked.ids, looked.last)

    def advance(self, tx: Transaction) -> None:
        taken = len(self._changed)  # they are removed once the database has been read
        changed = set[int]().union(*(self._changed[number] for number in range(taken)))
        newest = self._rows.newest(tx)
        if self._newest is None or newest - self._newest > ROWS_A_STEP:
            self.found, self._keys, self._position = array("q"), array("q"), self._start
        else:
            self._check_again(tx, changed.union(range(self._newest + 1, newest + 1)))
        self._newest = newest
        super().advance(tx)
        for _ in range(taken):
            self._changed.popleft()

    def _check_again(self, tx: Transaction, rows: Collection[int]) -> None:
        """Puts rows that are new or have changed where they belong, or takes them away."""
        self._remove(rows)
        looked = self._rows.look_at(tx, rows) if rows else _NOTHING
        for place in map(RowPosition, looked.keys, looked.ids):
            if self._position is None or self._rank(place) <= self._rank(self._position):
                at = self._index(place)
                self.found.insert(at, place.id)
                self._keys.insert(at, place.key)

    def _remove(self, rows: Collection[int]) -> None:
        if self._rows.by_id:
            for row in rows:
                at = self._index(RowPosition(0, row))
                if at < len(self.found) and self.found[at] == row:
                    del self.found[at], self._keys[at]
        elif rows:  # their old places are not known
            kept = [row not in rows for row in self.found]
            self.found = array("q", compress(self.found, kept))
            self._keys = array("q", compress(self._keys, kept))

    def _rank(self, place: RowPosition) -> tuple[int, int]:
        """Lower ranks come first."""
        return (-place.key, -place.id) if self._rows.descending else place

    def _index(self, place: RowPosition) -> int:
        """Where a place is, or belongs, among the rows that were found."""
        return bisect_left(
            range(len(self.found)),
            self._rank(place),
            key=lambda at: self._rank(RowPosition(self._keys[at], self.found[at])),
        )
