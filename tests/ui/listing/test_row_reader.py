"""Which pages of a long list are read, tested without an app."""

import asyncio

from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.ui.listing.row_reader import RowReader
from tui_manager.ui.listing.row_window import MARGIN, RowWindow

ROWS = [f"row {number}" for number in range(3 * LIMIT_MAX)]


class List:
    """A list that writes down which pages were asked for."""

    def __init__(self) -> None:
        self.rows = list(ROWS)
        self.asked: list[int] = []
        self.held: RowWindow[str] = RowWindow(lambda row: row)
        self.reader = RowReader(self.held, self.fetch)

    async def fetch(self, window: Window) -> Page[str]:
        self.asked.append(window.offset)
        await asyncio.sleep(0)
        rows = self.rows[window.offset : window.offset + window.limit]
        return Page(rows, len(self.rows), len(self.rows))

    async def read(self, first: int = 0) -> None:
        read = await self.reader.read(first, 10)
        assert read is not None
        self.held.hold_page(*read)


async def test_the_rows_in_sight_are_read_with_a_margin() -> None:
    page = await List().reader.read(100, 10)
    assert page is not None
    offset, rows = page
    assert (offset, len(rows.rows)) == (100 - MARGIN, 10 + 2 * MARGIN)


async def test_a_page_of_another_filter_is_dropped() -> None:
    tested = List()
    reading = asyncio.create_task(tested.reader.read(0, 10))
    await asyncio.sleep(0)
    tested.reader.window = Window(text="row 7")
    assert await reading is None


async def test_a_selected_row_that_moved_is_looked_for_near_its_place_first() -> None:
    tested = List()
    await tested.read(500)
    tested.held.move_to(500)
    tested.rows.insert(0, "new")
    await tested.read(0)
    tested.asked.clear()
    assert await tested.reader.find_missing()
    assert tested.asked == [500 - MARGIN]
    assert (tested.held.key, tested.held.cursor) == ("row 500", 501)


async def test_a_row_that_moved_far_away_is_looked_for_in_the_whole_list() -> None:
    tested = List()
    await tested.read()
    tested.rows.append(tested.rows.pop(0))
    await tested.read()
    tested.asked.clear()
    assert await tested.reader.find_missing()
    assert tested.asked == [0, 0, LIMIT_MAX, 2 * LIMIT_MAX]
    assert (tested.held.key, tested.held.cursor) == ("row 0", len(ROWS) - 1)


async def test_a_row_that_is_in_no_page_is_selected_no_more() -> None:
    tested = List()
    await tested.read()
    tested.rows.remove("row 0")
    await tested.read()
    assert await tested.reader.find_missing()
    assert tested.held.selected is None


async def test_marks_are_found_before_a_key_acts_on_them() -> None:
    tested = List()
    await tested.read()
    tested.held.toggle_mark()
    tested.rows.insert(0, "new")
    await tested.read(500)
    await tested.reader.find_marks()
    assert tested.held.marked == ["row 0"]
