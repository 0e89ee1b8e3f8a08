"""Which of the panes of the dashboard is seen, and which has the focus."""

from textual.pilot import Pilot
from textual.widget import Widget

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle
from tests.ui.test_keys import WAY
from tui_manager.ui.action import ScreenName
from tui_manager.ui.action_table import BY_ID
from tui_manager.ui.dashboard import DashboardScreen

PANES = {  # how many panes tab goes through
    ScreenName.DASHBOARD: 4,
    ScreenName.MANAGER: 3,
    ScreenName.SCHEDULES: 5,
    ScreenName.TASK: 2,
    ScreenName.HOST: 3,
}


async def round_trip(key: str, pilot: "Pilot[None]") -> list[Widget | None]:
    """The panes that have the focus after each press, until the first one has it again."""
    first, seen = pilot.app.focused, list[Widget | None]()
    while first not in seen:
        await press(pilot, key)
        seen.append(pilot.app.focused)
    return seen


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


async def test_shift_tab_goes_back_through_the_panes_of_every_screen(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        for place in sorted(BY_ID["previous_pane"].screens):
            await press(pilot, "1", *WAY[place])
            there, back = await round_trip("tab", pilot), await round_trip("shift+tab", pilot)
            assert len(set(there)) == PANES[place]
            assert back == [*reversed(there[:-1]), there[-1]], place
