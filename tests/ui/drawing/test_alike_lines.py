"""Containers draw one line instead of all, and look the same."""

import pytest
from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press
from tui_manager.ui.drawing.alike_lines import AlikeLines, PlainContainer
from tui_manager.ui.drawing.theme import THEMES
from tui_manager.ui.preferences import ThemeName

SCREENS = {"dashboard": "1", "hosts": "2", "task": "3", "schedules": "5", "host": "2"}


def each_line(widget: AlikeLines) -> list[Strip]:
    """All lines as Textual draws them."""
    return Widget.render_lines(widget, widget.size.region)


@pytest.mark.parametrize("theme", [ThemeName.DARK, ThemeName.TERMINAL])
@pytest.mark.parametrize("screen", SCREENS)
async def test_all_lines_of_a_container_are_alike(
    running: Running, fleet: FakeOperator, screen: str, theme: ThemeName
) -> None:
    opened = ("enter",) if screen in ("task", "host") else ()
    async with running(fleet) as pilot:
        pilot.app.theme = THEMES[theme].name
        await press(pilot, SCREENS[screen], *opened)
        shown = pilot.app.screen
        assert isinstance(shown, AlikeLines)
        plain = [node for node in shown.walk_children() if isinstance(node, AlikeLines)]
        assert plain
        for widget in (shown, *plain):
            assert widget.gutter == (0, 0, 0, 0), "a frame or padding has other lines"
            assert widget.render_lines(widget.size.region) == each_line(widget)


async def test_a_part_of_a_container_is_drawn(running: Running, fleet: FakeOperator) -> None:
    async with running(fleet) as pilot:
        body = pilot.app.screen.query_one("#body", PlainContainer)
        lines = body.render_lines(Region(3, 2, 20, 4))
        assert [line.cell_length for line in lines] == [20] * 4
        assert body.render_lines(Region(0, 0, 20, 0)) == []
        assert isinstance(body, Container)
