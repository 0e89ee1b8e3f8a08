"""Paints spans in the colours that the theme gives to their roles."""

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from tui_manager.ui.listing.cells import Role, Spans

ROLE_CLASSES = frozenset(f"role--{role}" for role in Role)


class RolePainter(Widget):
    """A widget that draws spans. `app.tcss` has a rule for each role."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    _titled: Text | None = None

    def role_style(self, role: Role) -> Style:
        """How a role looks in this widget."""
        return self.get_component_rich_style(f"role--{role}", partial=True)

    def entitle(self, title: Text) -> None:
        """Sets the title of the frame; to set it, whatever it was, draws the whole widget again."""
        if title != self._titled or title.spans != self._titled.spans:
            self._titled = title
            self.border_title = title

    def paint(self, line: Spans, base: Style) -> list[Segment]:
        """Segments of spans over a base style."""
        return [Segment(span.text, base + self.role_style(span.role)) for span in line]

    def strip(self, line: Iterable[Segment], width: int, base: Style) -> Strip:
        """A strip of exactly `width` cells."""
        return Strip(line).adjust_cell_length(width, base)
