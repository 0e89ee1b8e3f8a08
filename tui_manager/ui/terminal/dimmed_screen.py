"""Draws the screen below a dialog in darker colours. It uses private parts of Textual.

Textual does this with Rich, and computes each colour of each segment again. A dialog is drawn over
a screen that changes while hosts answer, and typing in it may draw all of it again.
"""

from functools import lru_cache
from typing import cast

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.css.styles import RulesMap
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import Screen
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.visual import RenderOptions, Visual

_STYLES = 8_192  # kept; a screen has about 100


def draw_fast(drawn: RenderableType) -> RenderableType:
    """What a screen draws itself, at a lower cost if it is the screen below."""
    if isinstance(drawn, BackgroundScreen):
        # Textual takes a Visual here too, though the type of `Screen.render` says nothing of it.
        return cast("RenderableType", DimmedScreen(drawn.screen, drawn.color))
    return drawn


class DimmedScreen(Visual):
    """What `BackgroundScreen` of Textual draws, at a tenth of its cost.

    Args:
        screen: the screen below.
        colour: laid over it, with its alpha.
    """

    def __init__(self, screen: Screen[object], colour: Color) -> None:
        self._screen, self._colour = screen, colour

    def render_strips(
        self, width: int, height: int | None, style: VisualStyle, options: RenderOptions
    ) -> list[Strip]:
        """The lines of the screen below, in the style of a screen where they have none."""
        base, colour = style.rich_style, self._colour
        lines = self._screen._compositor.render_strips()[:height]
        return [
            Strip([Segment(text, _dim(own, base, colour)) for text, own, _ in line.crop(0, width)])
            for line in lines
        ]

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """That of its screen."""
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        """That of its screen."""
        return self._screen.size.height


@lru_cache(_STYLES)
def _dim(own: Style | None, base: Style, colour: Color) -> Style:
    (segment,) = BackgroundScreen.process_segments([Segment("", own)], colour)
    return base + segment.style
