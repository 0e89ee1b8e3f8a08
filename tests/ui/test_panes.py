"""Which of the panes of the dashboard is seen, and which has the focus."""

from tests.support.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle
from tui_manager.ui.dashboard import DashboardScreen


async def test_a_table_that_was_clicked_is_seen_when_the_terminal_becomes_narrow(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (120, 36)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        await pilot.click("#hosts", offset=(5, 4))
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert screen.focused is screen.hosts
        assert (screen.hosts.display, screen.recent.display, screen.output.display) == (
            True,
            False,
            False,
        )


async def test_a_dashboard_that_was_started_too_small_takes_keys_once_it_is_enlarged(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (50, 12)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        await pilot.resize_terminal(120, 36)

        async def focused() -> bool:
            return screen.focused is screen.now and bool(screen.now.list.rows)

        async def cursor() -> int:
            return screen.now.list.cursor

        await wait_until(focused, bool)
        await press(pilot, "down")
        await wait_until(cursor, lambda number: number == 1)
