"""Tabs, for a screen that is too narrow for two panes side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from tui_manager.ui.action import KeyMap
from tui_manager.ui.drawing.span_widgets import SpanWidget
from tui_manager.ui.drawing.spans import Role, Span
from tui_manager.ui.key_bindings import key_of


class PaneTabs(SpanWidget):
    """One line with the titles. The chosen one is in brackets."""

    chosen: reactive[int] = reactive(0)

    @dataclass
    class Chosen(Message):
        """A title was clicked."""

        tabs: "PaneTabs"
        number: int

        @property
        def control(self) -> "PaneTabs":
            """The tabs."""
            return self.tabs

    def __init__(self, titles: Sequence[str], keys: KeyMap) -> None:
        super().__init__()
        self.titles = titles
        self._key = Span(f"  {key_of('next_pane', keys)}", Role.ACTIVE)

    def set_titles(self, titles: Sequence[str]) -> None:
        """Other titles for the same panes."""
        if titles != self.titles:
            self.titles = titles
            self.refresh()

    def _texts(self) -> list[str]:
        return [
            f" [{title}] " if number == self.chosen else f"  {title}  "
            for number, title in enumerate(self.titles)
        ]

    def render_line(self, y: int) -> Strip:
        """The one line."""
        width, base = self.size.width, self.base_style
        line = tuple(
            Span(text, Role.STRONG if number == self.chosen else Role.MUTED)
            for number, text in enumerate(self._texts())
        )
        return self.strip(self.paint((*line, self._key), base), width, base)

    def on_click(self, event: events.Click) -> None:
        """Chooses a title."""
        x = event.x
        for number, text in enumerate(self._texts()):
            if 0 <= x < len(text):
                self.post_message(self.Chosen(self, number))
            x -= len(text)
