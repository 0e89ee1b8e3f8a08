"""The field of a command: colours, and the keys that lead to earlier commands and to an editor."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from tui_manager.ui.drawing.shell_colours import Coloured, colour_shell
from tui_manager.ui.drawing.span_widgets import role_style
from tui_manager.ui.forms.form import WrappedArea


class CommandArea(WrappedArea):
    """Shell text of one or several lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+e", "edit", "Editor", show=False, priority=True),
    ]

    class Recall(Message):
        """The operator wants the command before (1) or after (-1) the one that is shown."""

        def __init__(self, area: "CommandArea", step: int) -> None:
            super().__init__()
            self.area = area
            self.step = step

        @property
        def control(self) -> "CommandArea":
            """Where it was asked for."""
            return self.area

    class EditorWanted(Message):
        """The operator wants to edit the text in the own editor."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text, id="command", compact=True, tab_behavior="focus")
        self.highlight_cursor_line = False  # its colour would hide those of the text
        self._coloured_text = ""
        self._colours: Sequence[Sequence[Coloured]] = ()

    def put(self, text: str) -> None:
        """Replaces the text, which can be undone, with the cursor at its end."""
        self.replace(text, (0, 0), self.document.end)
        self.move_cursor(self.document.end)

    def action_edit(self) -> None:
        """Opens the editor."""
        self.post_message(self.EditorWanted())

    def action_cursor_up(self, select: bool = False) -> None:
        """Above the first line is the command before."""
        if not select and self.navigator.is_first_wrapped_line(self.cursor_location):
            self.post_message(self.Recall(self, 1))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Below the last line is the command after."""
        if not select and self.navigator.is_last_wrapped_line(self.cursor_location):
            self.post_message(self.Recall(self, -1))
        else:
            super().action_cursor_down(select)

    def get_line(self, line_index: int) -> Text:
        """A line with its colours."""
        line = super().get_line(line_index)
        text = "\n".join(self.document.lines)  # `text` can have other line ends
        if text != self._coloured_text:
            self._coloured_text, self._colours = text, colour_shell(text)
        if line_index < len(self._colours):
            for part in self._colours[line_index]:
                line.stylize(role_style(self, part.role), part.start, part.end)
        return line
