"""A filtered list that is read a few rows at a time, while rows are added, changed and removed."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import StorageError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views import filtered_scan
from tui_manager.storage.views.filtered_scan import RowPosition, ScannedRows, SortedScan

ROWS_A_STEP = 4
NO_TX: Transaction = None  # type: ignore[assignment]


@dataclass
class Rows:
    """Rows in memory: whether each passes, by its id; and keys, if the list is sorted by them."""

    passes: dict[int, bool] = field(default_factory=dict)
    keys: dict[int, int] = field(default_factory=dict)
    descending: bool = True
    looked_at: int = 0

    @property
    def by_id(self) -> bool:
        return not self.keys

    def newest(self, _tx: Transaction) -> int:
        return max(self.passes, default=0)

    def _sorted(self) -> list[RowPosition]:
        places = [RowPosition(self.keys.get(row, 0), row) for row in self.passes]
        return sorted(places, reverse=self.descending)

    def _is_behind(self, row: RowPosition, place: RowPosition) -> bool:
        first, second = (row, place) if self.keys else (row.id, place.id)
        return first < second if self.descending else first > second  # type: ignore[operator]

    def behind(self, _tx: Transaction, place: RowPosition, count: int) -> ScannedRows:
        rows = [row for row in self._sorted() if self._is_behind(row, place)][:count]
        self.looked_at += len(rows)
        last = rows[-1] if len(rows) == count else None
        return self.look_at(NO_TX, [row.id for row in rows])._replace(last=last)

    def look_at(self, _tx: Transaction, ids: Collection[int]) -> ScannedRows:
        passing = [row for row in ids if self.passes.get(row)]
        return ScannedRows([self.keys.get(row, 0) for row in passing], passing, None)

    def expected(self) -> list[int]:
        return [place.id for place in self._sorted() if self.passes[place.id]]


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered_scan, "ROWS_A_STEP", ROWS_A_STEP)


def ask(scan: SortedScan, rows: Rows) -> None:
    """One question, which looks at no more rows than it may."""
    before = rows.looked_at
    scan.advance(NO_TX)
    assert rows.looked_at - before <= ROWS_A_STEP


def finish(scan: SortedScan, rows: Rows) -> None:
    for _ in range(len(rows.passes) + 2):
        ask(scan, rows)
    assert not scan.partial
    assert scan.found.tolist() == rows.expected()


def test_each_question_looks_at_a_few_more_rows() -> None:
    rows = Rows({row: row % 2 == 0 for row in range(1, 11)})
    scan = SortedScan(rows, changes=True)
    for found, partial in (([10, 8], True), ([10, 8, 6, 4], True), ([10, 8, 6, 4, 2], False)):
        ask(scan, rows)
        assert (scan.found.tolist(), scan.partial) == (found, partial)
    looked_at = rows.looked_at
    ask(scan, rows)
    assert rows.looked_at == looked_at
    assert scan.ids(Window(offset=1, limit=2)) == "[8, 6]"


def test_new_rows_are_put_in_front_and_many_restart_the_scan() -> None:
    rows = Rows(dict.fromkeys(range(1, 4), True))
    scan = SortedScan(rows, changes=True)
    ask(scan, rows)
    rows.passes |= {4: False, 5: True}
    ask(scan, rows)
    assert scan.found.tolist() == [5, 3, 2, 1]
    rows.passes |= dict.fromkeys(range(6, 30), True)
    ask(scan, rows)
    assert (scan.found.tolist(), scan.partial) == ([29, 28, 27, 26], True)
    finish(scan, rows)


def test_changed_rows_are_checked_again_if_they_were_looked_at() -> None:
    rows = Rows({row: row > 8 for row in range(1, 11)})
    scan = SortedScan(rows, changes=True)
    ask(scan, rows)  # 10 to 7
    rows.passes |= {9: False, 7: True, 1: True}
    assert scan.accept_changes(Changes(tasks=frozenset({9, 7, 1, 77})))
    ask(scan, rows)  # 6 to 3
    assert scan.found.tolist() == [10, 7]
    finish(scan, rows)


@pytest.mark.parametrize("broken", ["newest", "look_at", "behind"])
def test_changes_are_kept_while_the_database_cannot_be_read(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows({row: row % 2 == 0 for row in range(1, 11)})
    scan = SortedScan(rows, changes=True)
    ask(scan, rows)
    rows.passes[9] = True
    assert scan.accept_changes(Changes(tasks=frozenset({9})))

    def fail(*_: object) -> None:
        raise StorageError("made by the test")

    with monkeypatch.context() as patched:
        patched.setattr(rows, broken, fail)
        with pytest.raises(StorageError):
            scan.advance(NO_TX)
    finish(scan, rows)


def test_a_row_whose_key_changes_moves() -> None:
    rows = Rows(dict.fromkeys(range(1, 7), True), {row: 10 * row for row in range(1, 7)})
    scan = SortedScan(rows, changes=True)
    ask(scan, rows)
    assert scan.found.tolist() == [6, 5, 4, 3]
    rows.keys |= {6: 35, 2: 55, 5: 15}  # within, in front, and behind what was looked at
    assert scan.accept_changes(Changes(tasks=frozenset({6, 2, 5})))
    ask(scan, rows)
    assert (scan.found.tolist(), scan.partial) == ([2, 4, 6, 3, 5, 1], False)


def test_too_many_changes_restart_a_scan_of_changing_rows() -> None:
    assert not SortedScan(Rows(), changes=True).accept_changes(Changes(all_tasks=True))
    assert SortedScan(Rows(), changes=False).accept_changes(Changes(all_tasks=True))


ACTS = st.lists(
    st.one_of(
        st.just(("ask", 0, False, 0)),
        st.tuples(st.just("add"), st.integers(1, 3), st.booleans(), st.integers(-3, 3)),
        st.tuples(
            st.sampled_from(("change", "change unheard")),
            st.integers(1, 60),
            st.booleans(),
            st.integers(-3, 3),
        ),
    ),
    max_size=60,
)


@given(
    first=st.lists(st.booleans(), max_size=20),
    acts=ACTS,
    sorted_by_key=st.booleans(),
    descending=st.booleans(),
)
def test_after_any_changes_a_scan_finds_all_rows(
    first: list[bool],
    acts: list[tuple[str, int, bool, int]],
    sorted_by_key: bool,
    descending: bool,
) -> None:
    rows = Rows(dict(enumerate(first, start=1)), descending=descending)
    if sorted_by_key:
        rows.keys = {0: 0, **{row: row % 3 for row in rows.passes}}
    scan = SortedScan(rows, changes=True)
    unheard: set[int] = set()
    for act, number, passes, key in acts:
        row = rows.newest(NO_TX) + number if act == "add" else number
        if act == "ask":
            ask(scan, rows)
            if not unheard:
                found = scan.found.tolist()
                assert found == [row for row in rows.expected() if row in found]
        elif act == "add" or row in rows.passes:
            rows.passes[row] = passes
            if sorted_by_key:
                rows.keys[row] = key
            if act == "change":
                assert scan.accept_changes(Changes(tasks=frozenset({row})))
            elif act == "change unheard":
                unheard.add(row)
    assert scan.accept_changes(Changes(tasks=frozenset(unheard)))
    finish(scan, rows)
