"""Lines that a screen sets: facts of a host, the head of a task, figures of the manager."""

from collections.abc import Sequence

from textual.geometry import Size
from textual.strip import Strip

from tui_manager.ui.listing.cells import Spans, fit
from tui_manager.ui.listing.roles import RolePainter


class FactLines(RolePainter):
    """As many lines as it was given, each cut at the width."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: Sequence[Spans] = ()

    def set_lines(self, lines: Sequence[Spans]) -> None:
        """Shows other lines; the same ones are not drawn again."""
        if lines == self.lines:
            return
        grown = len(lines) != len(self.lines)
        self.lines = lines
        self.refresh(layout=grown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many as there are."""
        return len(self.lines)

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        width, base = self.size.width, self.rich_style
        line = fit(self.lines[y], width) if y < len(self.lines) else ()
        return self.strip(self.paint(line, base), width, base)
