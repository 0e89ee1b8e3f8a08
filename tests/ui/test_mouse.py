"""What has a key and a place can be clicked: header, notice, footer."""

from textual.geometry import Offset

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.frame.header import HeaderLine, NoticeLine, screen_of
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.frame.key_footer import KeyFooter, footer_line
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.manager.manager_screen import ManagerScreen
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen


async def test_a_click_on_the_header_shows_more_of_what_is_there(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (160, 40)) as pilot:
        line = shown(pilot).splitlines()[0]
        for words, screen in (
            ("16/17 hosts", HostsScreen),
            ("○1", HostsScreen),
            ("1 pending", HostsScreen),
            ("2 running", TasksScreen),
            ("failed today", TasksScreen),
            ("web04 offline", HostsScreen),
            ("+2 more", ManagerScreen),
        ):
            await press(pilot, "1")
            await pilot.click(HeaderLine, offset=(line.index(words), 0))
            await settle(pilot)
            assert isinstance(pilot.app.screen, screen), words


def test_a_click_beside_the_words_of_the_header_shows_the_manager() -> None:
    assert screen_of((), 7) == "show_manager"


async def test_a_click_hides_the_notice(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        screen.link.notice = "The screen was built again."
        screen.query_one(NoticeLine).show_notice()
        await settle(pilot)
        assert "built again" in shown(pilot)
        await pilot.click(NoticeLine)
        await settle(pilot)
        assert "built again" not in shown(pilot)
        assert screen.link.notice == ""


async def test_a_click_on_a_key_of_the_footer_presses_it(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        footer = pilot.app.screen.query_one(KeyFooter)
        at = plain(footer_line(footer.keys, footer.size.width)).index("Help")
        await pilot.click(KeyFooter, offset=Offset(at, 0))
        await settle(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
