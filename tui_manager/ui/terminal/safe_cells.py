"""Removes what a terminal must not get from all that widgets draw."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui_manager.domain.text.safe_text import replace_unsafe


class SafeCells(LineFilter):
    """Lets no character that is not visible reach the terminal, whichever widget draws it. A field
    or a message can hold text of another operator or of a host, with escape sequences in it.

    Widths stay as they were laid out, so that a character without a width is left out.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments as a terminal may get them. Those of Textual itself have a `control`."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [
            segment
            if segment.control
            else Segment(replace_unsafe(segment.text, _of_same_width), segment.style)
            for segment in segments
        ]


class WithoutColours(LineFilter):
    """Lets no colour reach the terminal, for NO_COLOR. Textual would send greys."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with what is left of their styles: bold, dim, underlined, reverse."""
        return [
            Segment(text, style and style.without_color, control)
            for text, style, control in segments
        ]


def _of_same_width(char: str) -> str:
    return "\ufffd" * cell_len(char)
