"""What the keys of a screen do to search its output: `/`, the next and the previous match, the
first error. How these are found is in `find_matches.py` and `first_error.py`."""

from collections.abc import Callable
from functools import partial

from textual import on
from textual.app import ComposeResult

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.output.output_search import OutputMatch, OutputPattern
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.frame.key_footer import KeyFooter
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.output.actions.find_matches import COUNT_MAX, count_matches, find_next
from tui_manager.ui.output.actions.first_error import find_first_error
from tui_manager.ui.output.actions.search_bar import SearchBar
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.terminal.closable import while_open

_TEXT_SHOWN = 24  # cells of what was searched for, in the title


class SearchActions(MainScreen):
    """A screen with one output pane that can be searched."""

    def compose(self) -> ComposeResult:
        """The line of the search stands above the footer."""
        for widget in super().compose():
            if isinstance(widget, KeyFooter):
                yield SearchBar(self.link.keys)
            yield widget

    @property
    def searched(self) -> OutputPane:
        """The output pane."""
        return self.query_one(OutputPane)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is a next match only while something is searched for."""
        if action in ("next_match", "previous_match") and self.is_mounted:
            panes = self.query(OutputPane)
            if not panes or panes.first().rows.pattern is None:
                return False
        return super().check_action(action, parameters)

    async def action_search(self) -> None:
        """Types what is searched for."""
        if self.searched.source is not None:
            await self.query_one(SearchBar).open()

    @on(SearchBar.Submitted)
    def _search(self, message: SearchBar.Submitted) -> None:
        if not message.text:
            self._end_search()
            return
        try:
            pattern = OutputPattern(message.text)
        except InvalidInputError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.query_one(SearchBar).close()
        pane = self.searched
        self.set_focus(pane)
        pane.search_for(pattern, "searching…")
        self.refresh_bindings()
        self._find(pane.place_seen)
        self._count(pattern)

    def _end_search(self) -> None:
        self.query_one(SearchBar).close()
        self.workers.cancel_group(self, "search")
        self.workers.cancel_group(self, "count")
        self.searched.search_for(None)
        self.set_focus(self.searched)
        self.refresh_bindings()

    async def action_back(self) -> None:
        """Ends a search first."""
        if self.query_one(SearchBar).display or (
            self.searched.rows.pattern is not None and self.focused is self.searched
        ):
            self._end_search()
        else:
            await super().action_back()

    def action_next_match(self) -> None:
        """Shows the next line with what is searched for."""
        self._find(self.searched.match or self.searched.place_seen)

    def action_previous_match(self) -> None:
        """Shows the one before."""
        self._find(self.searched.match or self.searched.place_seen, backwards=True)

    @while_open("search", exclusive=True)
    async def _find(self, here: OutputMatch | None, *, backwards: bool = False) -> None:
        pane = self.searched
        source, pattern = pane.source, pane.rows.pattern
        if source is None or pattern is None:
            return
        found = await find_next(
            self.link.operator,
            source,
            pattern.text,
            here,
            partial(self._searched, pane, pattern),
            backwards=backwards,
        )
        if pane.rows.pattern is not pattern:
            return
        if found is None:
            pane.search_for(pattern, f"{_quoted(pattern)} no match")
            return
        pane.go_to_match(found.match)
        if found.wrapped:
            where = "end" if backwards else "beginning"
            self.notify(f"The search has gone on from the {where}.", markup=False)

    @while_open("count", exclusive=True)
    async def _count(self, pattern: OutputPattern) -> None:
        pane = self.searched
        if pane.source is None:
            return
        count = await count_matches(
            self.link.operator, pane.source, pattern.text, partial(self._searched, pane, pattern)
        )
        if count and pane.rows.pattern is pattern:
            shown = count_of(count, "line") if count < COUNT_MAX else f"{COUNT_MAX:,} lines or more"
            pane.search_for(pattern, f"{_quoted(pattern)} {shown}")

    @staticmethod
    def _searched(pane: OutputPane, pattern: OutputPattern, searched: int) -> None:
        if pane.rows.pattern is pattern and "searching" in pane.search_state:
            pane.search_for(pattern, f"{_quoted(pattern)} searching… {size(searched)}")

    def action_first_error(self) -> None:
        """Shows the first error."""
        self._show_first_error()

    @while_open("search", exclusive=True)
    async def _show_first_error(self) -> None:
        pane, source = self.searched, self.searched.source
        if source is None:
            return
        progress: Callable[[int], None] = lambda _: None  # noqa: E731
        found = await find_first_error(self.link.operator, source, progress)
        if pane.source is not source:
            return
        if found is None:
            self.notify("No line of this output names an error.", markup=False)
        else:
            pane.go_to_match(found)


def _quoted(pattern: OutputPattern) -> str:
    return f"“{shorten(safe_line(pattern.text), _TEXT_SHOWN)}”"
