"""The line in which a search in output is typed."""

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label

from tui_manager.domain.lists.list_window import TEXT_MAX
from tui_manager.ui.action import KeyMap
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.terminal.closable import MountedLater


class SearchBar(MountedLater, Horizontal):
    """Hidden until it is opened."""

    class Submitted(Message):
        """A text is to be searched for."""

        def __init__(self, bar: "SearchBar", text: str) -> None:
            super().__init__()
            self.bar = bar
            self.text = text

        @property
        def control(self) -> "SearchBar":
            """The bar in which it was typed."""
            return self.bar

    def __init__(self, keys: KeyMap) -> None:
        super().__init__()
        ends = f"{key_of('back', keys)} ends the search"
        self._placeholder = f"a text, or /a regular expression/; enter searches, {ends}"
        self.display = False

    def parts(self) -> Iterable[Widget]:
        """The slash, and the field."""
        yield Label(" / ", markup=False)
        yield Input(compact=True, max_length=TEXT_MAX, placeholder=self._placeholder)

    async def open(self) -> None:
        """Starts typing. The last text stands there and is replaced by what is typed."""
        if not await self.mount_parts():
            return
        self.display = True
        self.screen.set_focus(self.query_one(Input))

    def close(self) -> None:
        """Hides the line."""
        self.display = False

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted(self, event.value))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
