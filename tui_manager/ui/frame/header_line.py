"""The first line of every screen, and what stands below it until it is dismissed."""

from textual.strip import Strip
from textual.widgets import Static

from tui_manager.ui.drawing.span_widgets import RolePainter
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.frame.header_text import header_line
from tui_manager.ui.manager_link import Link


class HeaderLine(RolePainter):
    """Who the manager is, how the fleet is, what needs an operator, what time it is."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._drawn: Spans = ()

    def refresh_changed(self) -> None:
        """Draws it again when it says something else now: what is drawn in vain takes a frame from
        what comes a moment later."""
        if self._line() != self._drawn:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The one line."""
        self._drawn, base = self._line(), self.rich_style
        return self.strip(self.paint(self._drawn, base), self.size.width, base)

    def _line(self) -> Spans:
        link = self.link
        return header_line(link.status, link.trouble, link.now(), self.size.width, link.away_since)


class NoticeLine(Static):
    """What has happened to the screen itself; seen only when there is something to say."""

    def __init__(self, link: Link) -> None:
        super().__init__(markup=False)
        self.link = link

    def on_mount(self) -> None:
        """A screen may be opened after it has happened."""
        self.tell()

    def tell(self) -> None:
        """Says what the link has to say now."""
        self.display = bool(self.link.notice)
        self.update(f"{self.link.notice}  (esc hides this)")
