"""Selection and marks stay on their rows, whatever becomes of the list and in whatever order its
pages are read."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tui_manager.domain.lists.list_window import Page
from tui_manager.ui.listing.row_window import RowWindow

PAGE = 7  # rows of a page
numbers = st.integers(0, 40)


class Lists(RuleBasedStateMachine):
    """A list that changes, a filter on it, and a window that reads pages of it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = [f"row {number}" for number in range(20)]
        self.made = 20
        self.odd_only = False
        self.window: RowWindow[str] = RowWindow(lambda row: row)
        self.first_page = self.page(0)
        self.window.hold_page(0, self.first_page)
        self.read = {0: self.first_page.rows}  # the rows of the last read, by offset

    @property
    def listed(self) -> list[str]:
        return [row for row in self.rows if not self.odd_only or int(row.split()[1]) % 2]

    def page(self, offset: int) -> Page[str]:
        listed = self.listed
        return Page(listed[offset : offset + PAGE], len(listed), len(self.rows))

    @rule(at=numbers)
    def insert(self, at: int) -> None:
        self.rows.insert(at, f"row {self.made}")
        self.made += 1

    @rule(at=numbers)
    def remove(self, at: int) -> None:
        del self.rows[at : at + 1]

    @rule(at=numbers, to=numbers)
    def move(self, at: int, to: int) -> None:
        if at < len(self.rows):
            self.rows.insert(to, self.rows.pop(at))

    @rule(search_all=st.booleans())
    def filter(self, search_all: bool) -> None:
        self.odd_only = not self.odd_only
        self.window.restart(search_all=search_all)
        self.read.clear()
        assert self.window.selected is None
        assert not self.window.marked

    @rule(offset=numbers)
    def read_page(self, offset: int) -> None:
        page = self.page(offset)
        self.window.hold_page(offset, page)
        self.read = {offset: page.rows}

    @rule(offset=numbers)
    def look_aside(self, offset: int) -> None:
        page = self.page(offset)
        self.window.learn(offset, page)
        self.read[offset] = page.rows

    @rule(step=st.integers(-9, 9))
    def go(self, step: int) -> None:
        self.window.move_by(step)

    @rule(at=numbers)
    def select_row(self, at: int) -> None:
        self.window.move_to(at)

    @rule()
    def mark(self) -> None:
        self.window.toggle_mark()

    @rule(offset=numbers)
    def read_until_all_is_known(self, offset: int) -> None:
        before, waits = self.window.key, self.window._select_at_cursor
        first = self.window._select_first_if_absent
        self.read_page(offset)
        for start in range(0, self.window.matching, PAGE):
            if self.window.missing:
                self.look_aside(start)
        self.window.set_missing_absent()
        assert not self.window.missing
        listed = self.listed
        assert sorted(self.window.marked) == sorted(set(self.window.marks) & set(listed))
        if before in listed and not (first and not self.window._search_all):
            assert self.window.selected == before
        elif not first and not waits:
            assert self.window.selected is None
        if self.window.selected is not None:
            assert listed[self.window.cursor] == self.window.selected

    @invariant()
    def the_selected_row_is_the_one_with_the_key(self) -> None:
        assert self.window.selected in (None, self.window.key)

    @invariant()
    def the_selected_row_is_not_one_that_was_read_in_vain(self) -> None:
        selected, cursor = self.window.selected, self.window.cursor
        for offset, rows in list(self.read.items())[-1:]:
            if selected is not None and offset <= cursor < offset + len(rows):
                assert rows[cursor - offset] == selected


TestLists = Lists.TestCase
TestLists.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
