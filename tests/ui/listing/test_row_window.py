"""The selection is a row, not a place."""

from tui_manager.domain.lists.list_window import Page
from tui_manager.ui.listing.row_window import RowWindow


def page(*rows: str, matching: int | None = None) -> Page[str]:
    count = len(rows) if matching is None else matching
    return Page(rows, count, count)


def window(*rows: str) -> RowWindow[str]:
    made: RowWindow[str] = RowWindow(lambda row: row)
    made.hold_page(0, page(*rows))
    return made


def test_the_first_row_is_selected_at_first() -> None:
    assert window("a", "b").selected == "a"


def test_a_row_that_moves_takes_the_selection_with_it() -> None:
    rows = window("a", "b", "c")
    rows.move_to(1)
    rows.hold_page(0, page("new", "a", "b", "c"))
    assert (rows.selected, rows.cursor) == ("b", 2)


def test_of_a_row_that_is_gone_no_other_takes_the_place_until_the_operator_moves() -> None:
    rows = window("a", "b", "c", "d")
    rows.move_to(1)
    rows.hold_page(0, page("a", "c", "d"))
    rows.set_missing_absent()
    assert (rows.selected, rows.key) == (None, "")
    rows.hold_page(0, page("a", "c", "d"))
    assert rows.selected is None
    rows.move_by(1)
    assert rows.selected == "c"
    rows.hold_page(0, page("a", "d"))
    rows.set_missing_absent()
    rows.move_by(-1)
    assert rows.selected == "a"


def test_in_an_empty_list_the_first_that_comes_is_selected() -> None:
    rows = window("a")
    rows.hold_page(0, page())
    rows.set_missing_absent()
    rows.hold_page(0, page("b", "c"))
    assert rows.selected == "b"


def test_a_row_that_moved_out_of_what_was_read_is_looked_for() -> None:
    rows = window("a", "b", "c")
    rows.hold_page(0, page("x", "y", matching=1_000_000))
    assert (rows.selected, dict(rows.missing)) == (None, {"a": 0})
    rows.learn(700, page("z", "a", matching=1_000_000))
    assert (rows.selected, rows.cursor, dict(rows.missing)) == ("a", 701, {})
    assert list(rows.rows.values()) == ["x", "y"]


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
    rows.hold_page(0, page("x", "b", "a"))
    assert rows.marked == ["a"]
    rows.toggle_mark()
    assert not rows.marks


def test_a_marked_row_that_is_not_in_the_list_is_not_marked_there() -> None:
    rows = window("a", "b")
    rows.toggle_mark()
    rows.hold_page(0, page("b"))
    rows.set_missing_absent()
    assert (list(rows.marks), rows.marked, dict(rows.missing)) == (["a"], [], {})
    rows.hold_page(0, page("a", "b"))
    assert rows.marked == ["a"]
    rows.restart(search_all=False)
    assert rows.marked == []


def test_in_another_list_the_selected_row_stays_selected() -> None:
    rows = window("a", "b", "c")
    rows.move_to(2)
    rows.restart(search_all=False)
    assert rows.selected is None
    rows.hold_page(0, page("b", "c"))
    assert (rows.key, rows.cursor) == ("c", 1)


def test_in_a_filtered_list_the_first_row_is_selected_in_place_of_one_that_is_not_read() -> None:
    rows = window("a", "b", "c")
    rows.restart(search_all=False)
    rows.hold_page(0, page("b", "c", matching=9))
    assert (rows.selected, rows.cursor, dict(rows.missing)) == ("b", 0, {})


def test_in_a_sorted_list_the_selected_row_is_looked_for_first() -> None:
    rows = window("a", "b", "c")
    rows.restart(search_all=True)
    rows.hold_page(0, page("x", "y", matching=3))
    assert dict(rows.missing) == {"a": 0}
    rows.set_missing_absent()
    assert (rows.selected, rows.cursor) == ("x", 0)


def test_only_what_is_seen_and_a_margin_is_asked_for() -> None:
    rows = window("a")
    offset, limit = rows.page_around(500_000, 30)
    assert offset <= 500_000 < 500_030 <= offset + limit
    assert limit <= 200
    rows.hold_page(offset, page(*map(str, range(limit)), matching=1_000_000))
    assert rows.holds(500_000, 30)
    assert not rows.holds(0, 30)


def test_an_empty_list_is_covered() -> None:
    rows = window()
    assert rows.holds(0, 30)


def test_a_newer_page_tells_that_a_row_which_was_just_read_is_gone() -> None:
    rows = window("a", "b", "c")
    rows.learn(0, page("b", "c"))
    assert (rows.selected, dict(rows.missing)) == (None, {"a": 0})


def test_the_rows_that_are_held_follow_a_newer_page() -> None:
    rows = window("a", "b", "c")
    rows.learn(0, page("new", "a", "b", "c"))
    rows.move_by(0)
    assert rows.selected == "a"


def test_the_first_rows_are_marked_or_all_of_their_marks_are_taken_away() -> None:
    rows = window("a", "b", "c", "d")
    rows.move_to(3)
    rows.toggle_mark()
    rows.mark_first(["a", "b"])
    assert rows.marked == ["d", "a", "b"]
    rows.mark_first(["a", "b", "c"])
    assert rows.marked == ["d", "a", "b", "c"]
    rows.hold_page(0, page("new", "a", "b", "c", "d"))
    assert sorted(rows.marked) == ["a", "b", "c", "d"]
    rows.mark_first(["a", "c"])
    assert sorted(rows.marked) == ["b", "d"]
