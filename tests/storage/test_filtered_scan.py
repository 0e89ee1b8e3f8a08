"""A filtered list that is read a few rows at a time, while rows are added, changed and removed."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.changes import Changes
from tui_manager.domain.list_window import Window
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.views import filtered_scan
from tui_manager.storage.views.filtered_scan import NewestFirst

ROWS_A_STEP = 4
NO_TX: Transaction = None  # type: ignore[assignment]


@dataclass
class Rows:
    """Rows in memory: whether each passes, by its id."""

    passes: dict[int, bool] = field(default_factory=dict)
    looked_at: int = 0

    def newest(self, _tx: Transaction) -> int:
        return max(self.passes, default=0)

    def _down_from(self, high: int) -> list[int]:
        return sorted((row for row in self.passes if row <= high), reverse=True)

    def last(self, _tx: Transaction, high: int, looks: int) -> int | None:
        rows = self._down_from(high)
        return rows[looks - 1] if len(rows) >= looks else None

    def passing(self, _tx: Transaction, high: int, low: int) -> list[int]:
        rows = [row for row in self._down_from(high) if row >= low]
        self.looked_at += len(rows)
        return [row for row in rows if self.passes[row]]

    def passing_of(self, _tx: Transaction, ids: Collection[int]) -> list[int]:
        return [row for row in ids if self.passes.get(row)]

    def expected(self) -> list[int]:
        return [row for row in self._down_from(self.newest(NO_TX)) if self.passes[row]]


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered_scan, "ROWS_A_STEP", ROWS_A_STEP)


def ask(scan: NewestFirst, rows: Rows) -> None:
    """One question, which looks at no more rows than it may: new ones, and older ones."""
    before = rows.looked_at
    scan.advance(NO_TX)
    assert rows.looked_at - before <= 2 * ROWS_A_STEP


def finish(scan: NewestFirst, rows: Rows) -> None:
    for _ in range(len(rows.passes) + 2):
        ask(scan, rows)
    assert not scan.partial
    assert scan.found.tolist() == rows.expected()


def test_each_question_looks_at_a_few_more_rows() -> None:
    rows = Rows({row: row % 2 == 0 for row in range(1, 11)})
    scan = NewestFirst(rows, changes=True)
    for found, partial in (([10, 8], True), ([10, 8, 6, 4], True), ([10, 8, 6, 4, 2], False)):
        ask(scan, rows)
        assert (scan.found.tolist(), scan.partial) == (found, partial)
    looked_at = rows.looked_at
    ask(scan, rows)
    assert rows.looked_at == looked_at
    assert scan.ids(Window(offset=1, limit=2)) == "[8, 6]"


def test_new_rows_are_put_in_front_and_many_restart_the_scan() -> None:
    rows = Rows(dict.fromkeys(range(1, 4), True))
    scan = NewestFirst(rows, changes=True)
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
    scan = NewestFirst(rows, changes=True)
    ask(scan, rows)  # 10 to 7
    rows.passes |= {9: False, 7: True, 1: True}
    assert scan.accept_changes(Changes(tasks=frozenset({9, 7, 1, 77})))
    ask(scan, rows)  # 6 to 3
    assert scan.found.tolist() == [10, 7]
    finish(scan, rows)


def test_too_many_changes_restart_a_scan_of_changing_rows() -> None:
    assert not NewestFirst(Rows(), changes=True).accept_changes(Changes(all_tasks=True))
    assert NewestFirst(Rows(), changes=False).accept_changes(Changes(all_tasks=True))


ACTS = st.lists(
    st.one_of(
        st.just(("ask", 0, False)),
        st.tuples(st.just("add"), st.integers(1, 3), st.booleans()),
        st.tuples(st.just("change"), st.integers(1, 60), st.booleans()),
    ),
    max_size=60,
)


@given(first=st.lists(st.booleans(), max_size=20), acts=ACTS)
def test_after_any_changes_a_scan_finds_all_rows(
    first: list[bool], acts: list[tuple[str, int, bool]]
) -> None:
    rows = Rows(dict(enumerate(first, start=1)))
    scan = NewestFirst(rows, changes=True)
    for act, number, passes in acts:
        if act == "add":
            rows.passes[rows.newest(NO_TX) + number] = passes
        elif act == "change" and number in rows.passes:
            rows.passes[number] = passes
            assert scan.accept_changes(Changes(tasks=frozenset({number})))
        elif act == "ask":
            ask(scan, rows)
            assert scan.found.tolist() == [row for row in rows.expected() if row in scan.found]
    finish(scan, rows)
