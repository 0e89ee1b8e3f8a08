"""The help: a sheet of all keys."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen

from tui_manager.ui.drawing.span_widgets import FactLines
from tui_manager.ui.frame.help_text import help_lines
from tui_manager.ui.terminal.lifetime import ClosableScreen


class HelpScreen(ModalScreen[None], ClosableScreen[None]):
    """Closes with the key that opened it, or esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "close", "Back")]

    def compose(self) -> ComposeResult:
        """One sheet that scrolls where it does not fit."""
        with VerticalScroll(id="help", classes="dialog") as sheet:
            sheet.border_title = "Keys"
            sheet.border_subtitle = "esc"
            yield FactLines(id="help-lines")

    def on_resize(self, event: Resize) -> None:
        """Two columns or one."""
        lines = help_lines(min(event.size.width - 6, 116))
        self.query_one(FactLines).set_lines(lines)

    def action_close(self) -> None:
        """Back to where it was asked for."""
        self.dismiss()
