"""The line in which a filter is typed. The table is filtered at each key."""

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label

from tui_manager.domain.list_window import TEXT_MAX
from tui_manager.ui.listing.row_table import RowTable


class FilterBar(Horizontal):
    """Hidden until it is opened for a table."""

    def __init__(self) -> None:
        super().__init__()
        self.display = False
        self.table: RowTable[Any] | None = None

    def compose(self) -> ComposeResult:
        """The slash, and the field."""
        yield Label(" / ", markup=False)
        yield Input(compact=True, max_length=TEXT_MAX)

    def open(self, table: "RowTable[Any]") -> None:
        """Starts typing a filter for a table."""
        self.table = table
        self.display = True
        field = self.query_one(Input)
        field.placeholder = f"{table.FILTERS}; enter keeps, esc clears"
        field.value = table.window.text
        self.screen.set_focus(field)

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        if self.table is not None and self.display:
            self.table.filter_by(event.value)

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        event.stop()
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
            self.screen.set_focus(table)
