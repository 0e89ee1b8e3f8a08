"""The first line of every screen."""

from textual.strip import Strip

from tui_manager.ui.link import Link
from tui_manager.ui.render.header import header_line
from tui_manager.ui.widgets.roles import RolePainter


class HeaderLine(RolePainter):
    """Who the manager is, how the fleet is, what needs an operator, what time it is."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link

    def render_line(self, y: int) -> Strip:
        """The one line."""
        width, base = self.size.width, self.rich_style
        line = header_line(self.link.status, self.link.trouble, self.link.now(), width)
        return self.strip(self.paint(line, base), width, base)
