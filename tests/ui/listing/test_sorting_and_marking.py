"""Lists are sorted by keys, and all rows of a filter are marked at once."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tests.ui.listing.test_cursor import many_tasks
from tui_manager.ui.frame import main_screen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.listing import row_list
from tui_manager.ui.tasks.lists.all_tasks_table import WideTaskTable

# The columns of the hosts that can be sorted by, with what comes first.
COLUMNS = ("state", "name", "cpu", "memory", "running", "since", "agent")
LARGEST_FIRST = ("cpu", "memory", "running", "since")


async def test_keys_go_through_the_columns_and_back_to_the_lists_own_order(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (160, 40)) as pilot:
        await press(pilot, "2")
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        table, seen = screen.hosts, []
        for _ in range(len(COLUMNS) + 1):
            await press(pilot, "greater_than_sign")
            seen.append((table.window.sort, table.window.descending))
        assert seen == [*((name, name in LARGEST_FIRST) for name in COLUMNS), ("", False)]
        await press(pilot, "I")
        assert (table.window.sort, table.window.descending) == ("", False)
        await press(pilot, "less_than_sign", "less_than_sign", "less_than_sign")
        assert table.window.sort == "running"
        assert "RUN▾" in shown(pilot)
        hosts = [table.list.rows[number] for number in range(table.list.matching)]
        assert hosts == sorted(hosts, key=lambda host: -host.running)
        await press(pilot, "I")
        assert "RUN▴" in shown(pilot)
        hosts = [table.list.rows[number] for number in range(table.list.matching)]
        assert hosts == sorted(hosts, key=lambda host: host.running)


async def test_all_that_a_filter_shows_is_marked_for_a_task(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(1, 1502):
        fleet.add_host(f"web{number:04}", labels={"role": "web"})
    fleet.add_host("db1")
    async with running(fleet, (120, 24)) as pilot:
        await press(pilot, "2", "slash", *"role=web", "enter", "asterisk", "n")
        assert _target(pilot) == "web[0001-1501]"
        await press(pilot, "escape", "asterisk")
        assert "marked" not in shown(pilot)
        await press(pilot, "n")
        assert _target(pilot) == "role=web"
        await press(pilot, "escape", "slash", *["backspace"] * 8, *"0007", "enter", "n")
        assert _target(pilot) == "web0007"


async def test_of_too_many_only_the_first_are_marked_and_a_notice_says_so(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (row_list, main_screen):
        monkeypatch.setattr(module, "MARKED_MAX", 4)
    async with running(fleet) as pilot:
        await press(pilot, "3", "asterisk")
        assert "4 marked" in shown(pilot)
        said = [note.message for note in pilot.app._notifications]
        assert said == ["Only the first 4 are marked."]


async def test_newer_tasks_above_the_view_are_counted(running: Running) -> None:
    async with running(await many_tasks(FakeOperator(), 100), (120, 24)) as pilot:
        await press(pilot, "3")
        assert "newer" not in shown(pilot)
        await press(pilot, "end")
        table = pilot.app.screen.query_one(WideTaskTable)
        assert f"↑ {table.first} newer" in shown(pilot)
        table.scroll_up(immediate=True)
        await settle(pilot)
        assert f"↑ {table.first} newer" in shown(pilot)
        await press(pilot, "greater_than_sign")
        assert "newer" not in shown(pilot)
        await press(pilot, "home")
        assert "newer" not in shown(pilot)


def _target(pilot: "Pilot[None]") -> str:
    return pilot.app.screen.query_one("#target", Input).value


async def test_now_says_where_tasks_are_sorted(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "down", "greater_than_sign", "less_than_sign", "I")
        said = [note.message for note in pilot.app._notifications]
        assert said == ["Now has its own order: 3 shows all tasks."] * 3
