"""The selection is a row, not a place."""

from tui_manager.domain.window import Page
from tui_manager.ui.row_window import RowWindow


def page(*rows: str, matching: int | None = None) -> Page[str]:
    count = len(rows) if matching is None else matching
    return Page(rows, count, count)


def window(*rows: str) -> RowWindow[str]:
    made: RowWindow[str] = RowWindow(lambda row: row)
    made.place(0, page(*rows))
    return made


def test_the_first_row_is_selected_at_first() -> None:
    assert window("a", "b").selected == "a"


def test_a_row_that_moves_takes_the_selection_with_it() -> None:
    rows = window("a", "b", "c")
    rows.move_to(1)
    rows.place(0, page("new", "a", "b", "c"))
    assert (rows.selected, rows.cursor) == ("b", 2)


def test_a_row_that_is_gone_leaves_the_selection_to_its_neighbour() -> None:
    rows = window("a", "b", "c")
    rows.move_to(2)
    rows.place(0, page("a", "b"))
    assert (rows.selected, rows.cursor) == ("b", 1)
    rows.place(0, page())
    assert (rows.selected, rows.key) == (None, "")


def test_a_row_that_moved_out_of_what_was_read_stays_selected() -> None:
    rows = window("a", "b", "c")
    rows.place(0, page("x", "y", matching=1_000_000))
    assert rows.key == "a"


def test_moving_ends_at_the_edges() -> None:
    rows = window("a", "b")
    assert rows.move_to(99)
    assert rows.selected == "b"
    assert not rows.move_to(99)
    rows.move_to(-5)
    assert rows.selected == "a"


def test_marks_stay_on_their_rows() -> None:
    rows = window("a", "b")
    rows.toggle_mark()
    rows.place(0, page("x", "b", "a"))
    assert list(rows.marks) == ["a"]
    rows.toggle_mark()
    assert not rows.marks


def test_only_what_is_seen_and_a_margin_is_asked_for() -> None:
    rows = window("a")
    offset, limit = rows.wanted(500_000, 30)
    assert offset <= 500_000 < 500_030 <= offset + limit
    assert limit <= 200
    rows.place(offset, page(*map(str, range(limit)), matching=1_000_000))
    assert rows.covers(500_000, 30)
    assert not rows.covers(0, 30)


def test_an_empty_list_is_covered() -> None:
    rows = window()
    assert rows.covers(0, 30)


def test_rows_that_came_above_move_the_cursor_beyond_what_was_read() -> None:
    rows = window("a", "b", "c")
    rows.move_to(1)
    rows.place(0, page("x", "y", matching=103))
    assert (rows.selected, rows.cursor) == ("b", 101)
    rows.place(100, page("a", "b", "c", matching=103))
    assert (rows.selected, rows.cursor) == ("b", 101)
