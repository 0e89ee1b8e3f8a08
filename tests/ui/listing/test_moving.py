"""The letters that move, in lists and in panes of text, beside arrows and pages."""

import pytest
from textual.scroll_view import ScrollView

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press
from tests.ui.listing.test_scrolling import PANES, growing
from tui_manager.ui.hosts.hosts_screen import HostsScreen


async def test_letters_move_in_a_list(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", "home")
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        hosts = screen.hosts
        half = (hosts.size.height - 1) // 2
        places = []
        for key in ("j", "j", "k", "G", "k", "g", "ctrl+d", "ctrl+d", "ctrl+u"):
            await press(pilot, key)
            places.append(hosts.list.cursor)
        last = hosts.list.matching - 1
        assert places == [1, 2, 1, last, last - 1, 0, half, 2 * half, half]


@pytest.mark.parametrize("place", PANES)
async def test_letters_scroll_a_pane_of_text(running: Running, place: str) -> None:
    fleet, _ = await growing()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *PANES[place], "home")
        pane = pilot.app.focused
        assert isinstance(pane, ScrollView)
        places = []
        for key in ("ctrl+d", "ctrl+u", "G", "ctrl+u", "g"):
            await press(pilot, key)
            places.append(pane.scroll_y)
        half, end = pane.size.height // 2, pane.max_scroll_y
        assert places == [half, 0, end, end - half, 0]


async def test_letters_scroll_what_is_not_a_list(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 17)) as pilot:
        await press(pilot, "4")
        figures = pilot.app.screen.query_one("#figures")
        figures.focus()
        assert figures.max_scroll_y > 1
        places = []
        for key in ("j", "j", "k", "G", "g"):
            await press(pilot, key)
            places.append(figures.scroll_y)
        assert places == [1, 2, 1, figures.max_scroll_y, 0]
