"""Containers that draw nothing but their background: all their lines look alike.

Textual draws each line of each container, also where other widgets cover it. On the dashboard
that was three times as many lines as those of the panes. A file of its own, because screens and
containers of several folders use it.
"""

from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class AlikeLines(Widget):
    """A widget without a frame or padding, whose content is one colour. It draws one line. It is no
    first base: that would take its default styles from a container."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """The first line that is asked for, as often as there are lines."""
        first = Region(crop.x, crop.y, crop.width, min(1, crop.height))
        return super().render_lines(first) * crop.height


class PlainContainer(Container, AlikeLines):
    """A container for panes, which cover it."""
