"""The field of a task file: TOML, with line numbers and colours."""

from collections.abc import Sequence

from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip

from tui_manager.ui.drawing.toml_parts import Kind, Part, toml_parts
from tui_manager.ui.forms.form import WrappedArea

# Kinds are told apart by their place too, so that no colour is needed.
_STYLES = {
    Kind.HEADER: "bold $primary",
    Kind.KEY: "$primary",
    Kind.TEXT: "$success",
    Kind.VALUE: "$warning",
    Kind.COMMENT: "italic $quiet",
}


class TaskFileArea(WrappedArea):
    """A text that is coloured while it is typed."""

    def __init__(self, text: str) -> None:
        super().__init__(
            text,
            id="file",
            compact=True,
            tab_behavior="focus",
            show_line_numbers=True,
            highlight_cursor_line=False,  # it would hide the colours of that line
        )
        self._coloured = ""  # the text that `_parts` is of
        self._parts: Sequence[Sequence[Part]] = toml_parts("")

    def render_lines(self, crop: Region) -> list[Strip]:
        """Finds the parts of the text anew if it has changed."""
        text = "\n".join(self.document.lines)  # `text` can have other line ends
        if text != self._coloured:
            self._coloured, self._parts = text, toml_parts(text)
        return super().render_lines(crop)

    def get_line(self, line_index: int) -> Text:
        """A line with its colours."""
        line = super().get_line(line_index)
        variables = self.app.theme_variables
        for part in self._parts[line_index] if line_index < len(self._parts) else ():
            words = _STYLES[part.kind].split()
            style = " ".join(
                variables.get(word[1:], "") if word[0] == "$" else word for word in words
            )
            line.stylize(style, part.start, part.end)
        return line

    def go_to_line(self, number: int) -> None:
        """Moves the cursor to the begin of a line, from 1."""
        self.move_cursor((min(number, self.document.line_count) - 1, 0))
