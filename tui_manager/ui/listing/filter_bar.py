"""The lines in which a filter is typed. The table is filtered at each key; while the filter is
wrong, the table stays as it was, and says so."""

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.containers import Horizontal, Vertical
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Label

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_language import parse_filter
from tui_manager.domain.lists.list_window import TEXT_MAX
from tui_manager.ui.action import KeyMap
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.terminal.closable import MountedLater


class KeySuggester(Suggester):
    """Completes the key that is typed last: `st` to `status=`.

    Args:
        keys: of the list.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(case_sensitive=True)
        self._keys = keys

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with the key that it may become."""
        begun = value.rpartition(" ")[2].removeprefix("!")
        found = [key for key in self._keys if begun and key.startswith(begun)]
        return f"{value}{found[0][len(begun) :]}=" if found else None


class FilterBar(MountedLater, Vertical):
    """Hidden until it is opened for a table. Below the field stand the keys that the list knows,
    or what is wrong."""

    def __init__(self, keys: KeyMap) -> None:
        super().__init__()
        self._placeholder = f"enter keeps the filter, {key_of('back', keys)} clears it"
        self.display = False
        self.table: RowTable[Any] | None = None
        self._wrong = False

    def parts(self) -> Iterable[Widget]:
        """The slash, the field, and the hint."""
        field = Input(compact=True, max_length=TEXT_MAX, placeholder=self._placeholder)
        yield Horizontal(Label(" / ", markup=False), field)
        yield Label(id="filter-hint", markup=False)

    async def open(self, table: "RowTable[Any]") -> None:
        """Starts typing a filter for a table."""
        if not await self.mount_parts():
            return
        if self.table is not None:
            self.table.show_typed_wrong(False)
        self.table = table
        self.display = True
        field = self.query_one(Input)
        field.suggester = KeySuggester(table.FILTER_KEYS) if table.FILTER_KEYS else None
        field.value = table.window.text
        self._say("")
        self.screen.set_focus(field)

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        if self.table is None or not self.display:
            return
        try:
            if self.table.FILTER_KEYS:
                parse_filter(event.value)
        except InvalidInputError as error:
            self._say(str(error))
        else:
            self._say("")
            self.table.filter_by(event.value)

    def refuse(self, table: "RowTable[Any]", text: str, why: str) -> bool:
        """The manager did not take this filter of a table. False if it is not being typed."""
        typed = self.display and self.table is table and self.query_one(Input).value == text
        if typed:
            self._say(why)
        return typed

    def _say(self, wrong: str) -> None:
        self._wrong = bool(wrong)
        hint = self.query_one("#filter-hint", Label)
        hint.set_class(self._wrong, "-wrong")
        hint.update(wrong or (self.table.FILTERS if self.table else ""))
        if self.table is not None:
            self.table.show_typed_wrong(self._wrong)

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._wrong:
            self.close()

    def clear(self) -> None:
        """Clears the filter, and closes the line."""
        if self.table is not None:
            self.table.filter_by("")
        self.close()

    def close(self) -> None:
        """Keeps the filter. The table gets the focus back."""
        table, self.table = self.table, None
        self.display = False
        if table is not None:
            table.show_typed_wrong(False)
            self.screen.set_focus(table)
