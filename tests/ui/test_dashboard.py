"""Which task the dashboard selects while tasks start and end, and what its panes show."""

import re

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.listing.filter_bar import FilterBar
from tui_manager.ui.tasks.lists.recent_tasks_table import RecentTasksTable


async def fleet_of(*tasks: str) -> FakeOperator:
    """Two hosts, and running tasks with these names, which printed."""
    fleet = FakeOperator()
    for name in ("web01", "web02"):
        fleet.add_host(name)
    for name in tasks:
        await start(fleet, name)
    return fleet


async def start(fleet: FakeOperator, name: str) -> int:
    task_id = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), name))
    await fleet.start_task(task_id)
    fleet.emit(fleet.execution(task_id, "web01"), f"from {name}\n".encode())
    return task_id


def finish(fleet: FakeOperator, task_id: int, exit_code: int = 0) -> None:
    for name in ("web01", "web02"):
        fleet.finish(fleet.execution(task_id, name), exit_code)


def dashboard_of(pilot: "Pilot[None]") -> DashboardScreen:
    assert isinstance(pilot.app.screen, DashboardScreen)
    return pilot.app.screen


def selected(pilot: "Pilot[None]") -> tuple[str, bool]:
    """The name of the selected task, and whether it is in Now; nothing else is selected."""
    screen = dashboard_of(pilot)
    task = screen.selected_task
    assert task is not None
    in_now, in_recent = screen.now.list.key, screen.recent.list.key
    assert sorted((in_now, in_recent)) == ["", str(task.task_id)]
    assert f"from {task.name}" in shown(pilot) or screen.output.source is not None
    assert screen.output.source is not None
    assert screen.output.source.task_id == task.task_id
    return task.name, bool(in_now)


async def test_the_task_that_was_started_last_is_selected_until_another_one_is(
    running: Running,
) -> None:
    fleet = await fleet_of("one")
    async with running(fleet) as pilot:
        assert selected(pilot) == ("one", True)
        assert dashboard_of(pilot).focused is dashboard_of(pilot).now
        assert "No task besides those that run." in shown(pilot)
        two = await start(fleet, "two")
        await settle(pilot)
        assert selected(pilot) == ("two", True)
        finish(fleet, two)
        await settle(pilot)
        assert selected(pilot) == ("one", True)
        await start(fleet, "three")
        await settle(pilot)
        await press(pilot, "down")
        assert selected(pilot) == ("one", True)
        await start(fleet, "four")
        await settle(pilot)
        assert selected(pilot) == ("one", True), "the operator has selected it"
        await press(pilot, "escape")
        await settle(pilot)
        assert selected(pilot) == ("four", True)
        assert "two" in shown(pilot)


async def test_a_selected_task_stays_selected_when_it_ends(running: Running) -> None:
    fleet = await fleet_of("one", "two")
    async with running(fleet) as pilot:
        await press(pilot, "down")
        assert selected(pilot) == ("one", True)
        finish(fleet, 1, exit_code=3)
        await settle(pilot)
        screen = dashboard_of(pilot)
        assert selected(pilot) == ("one", False)
        assert screen.focused is screen.recent
        assert "from one" in shown(pilot)
        assert "No task" not in shown(pilot)
        finish(fleet, 2)
        await settle(pilot)
        assert not screen.now.display
        assert "Now" not in shown(pilot)
        assert selected(pilot) == ("one", False)
        await press(pilot, "up")
        assert selected(pilot) == ("two", False)


async def test_the_last_task_that_ran_stays_selected_without_a_key(running: Running) -> None:
    fleet = await fleet_of("one", "two")
    async with running(fleet) as pilot:
        finish(fleet, 1)
        finish(fleet, 2)
        await settle(pilot)
        assert selected(pilot)[1] is False
        assert dashboard_of(pilot).focused is dashboard_of(pilot).recent


async def test_a_task_that_starts_goes_to_the_running_ones_and_stays_selected(
    running: Running,
) -> None:
    fleet = await fleet_of("one")
    await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "two"))
    async with running(fleet) as pilot:
        screen = dashboard_of(pilot)
        await press(pilot, "tab")
        assert screen.recent.has_focus
        await start(fleet, "three")
        fleet.finish(fleet.execution(1, "web01"))
        await settle(pilot)
        assert selected(pilot) == ("three", True)
        assert screen.recent.has_focus, "what happens elsewhere moves no focus"
        finish(fleet, 3)
        await settle(pilot)
        assert selected(pilot) == ("one", True), "to go through a pane selects nothing in it"
        await press(pilot, "down", "down")
        assert selected(pilot) == ("two", False)
        await press(pilot, "s")
        await settle(pilot)
        assert selected(pilot) == ("two", True)
        assert screen.now.has_focus


async def test_recent_tasks_are_not_read_while_tasks_only_go_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = await fleet_of("one")
    await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "two"))
    async with running(fleet) as pilot:
        await settle(pilot)
        reads: list[RecentTasksTable] = []
        reload = RecentTasksTable.reload

        def noted(self: RecentTasksTable) -> None:
            reads.append(self)
            reload(self)

        monkeypatch.setattr(RecentTasksTable, "reload", noted)
        fleet.finish(fleet.execution(1, "web01"))
        await settle(pilot)
        assert not reads
        assert "1/2" in shown(pilot)
        await fleet.start_task(2)
        await settle(pilot)
        assert reads
        assert dashboard_of(pilot).recent.list.matching == 0


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_all_that_runs_is_in_sight_or_counted(
    running: Running, size: tuple[int, int]
) -> None:
    fleet = await fleet_of(*(f"task{number:02}" for number in range(30)))
    async with running(fleet, size) as pilot:
        screen = dashboard_of(pilot)
        rows = screen.now.size.height - 1
        assert 1 <= rows <= size[1] // 3
        assert f"{30 - rows} more: 3 shows all" in shown(pilot)
        assert f"Now {30}" in shown(pilot)
        assert "task29" in shown(pilot)
        await press(pilot, "end")
        assert selected(pilot) == ("task00", True)
        assert "task00" in shown(pilot)


async def test_one_pane_is_seen_at_a_time_in_a_narrow_terminal(running: Running) -> None:
    fleet = await fleet_of("one")
    async with running(fleet, (80, 24)) as pilot:
        screen = dashboard_of(pilot)
        panes: list[Widget] = [screen.recent, screen.hosts, screen.output]

        def seen() -> list[bool]:
            return [pane.display for pane in panes]

        assert seen() == [False, False, True], "what runs, and what it says"
        fleet.change_host("web02", online=False)
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert "Hosts ○1" in shown(pilot)
        for number in range(3):
            await press(pilot, "tab")
            assert screen.focused is panes[number]
            assert seen() == [pane is panes[number] for pane in panes]
            assert screen.now.display
        await press(pilot, "tab", "tab", "tab", "o")
        assert seen() == [False, False, True], "its output is brought to the front"
        assert "#1 one on web01" in shown(pilot)
        await pilot.resize_terminal(120, 36)
        await settle(pilot)
        assert seen() == [True, True, True]


async def test_hosts_on_which_the_selected_task_failed_are_marked(running: Running) -> None:
    fleet = await fleet_of("one", "two")
    fleet.finish(fleet.execution(1, "web02"), 3)
    async with running(fleet) as pilot:
        assert not re.search("[ ▸] ✘ web02", shown(pilot))
        await press(pilot, "down")
        await settle(pilot)
        assert re.search("[ ▸] ✘ web02", shown(pilot))
        assert "1✘ web02" in shown(pilot)
        fleet.finish(fleet.execution(1, "web01"), 3)
        await settle(pilot)
        dashboard_of(pilot).tick()
        await settle(pilot)
        assert re.search("[ ▸] ✘ web01", shown(pilot))


async def test_the_tab_of_the_hosts_counts_them_as_soon_as_they_are_read(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DashboardScreen, "tick", lambda _: None)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "down")
        assert "Hosts ✘2 ▶2 ○1" in shown(pilot)


async def test_a_filter_leaves_what_runs_in_sight(running: Running) -> None:
    fleet = await fleet_of("one")
    finish(fleet, await start(fleet, "two"))
    async with running(fleet) as pilot:
        screen = dashboard_of(pilot)
        await press(pilot, "slash", *"nothing")
        assert screen.query_one(FilterBar).table is screen.recent
        assert screen.now.list.matching == 1
        assert screen.recent.list.matching == 0
        assert selected(pilot) == ("one", True)
        await press(pilot, "enter", "exclamation_mark")
        assert screen.now.list.matching == 1


async def test_esc_goes_back_to_the_newest_task_when_none_runs(running: Running) -> None:
    fleet = await fleet_of("one", "two", "three")
    for task_id in (1, 2, 3):
        finish(fleet, task_id)
    async with running(fleet) as pilot:
        await press(pilot, "g", "j", "j")
        assert selected(pilot) == ("one", False)
        await press(pilot, "escape")
        assert selected(pilot) == ("three", False)
        await start(fleet, "four")
        await settle(pilot)
        assert selected(pilot) == ("four", True)


async def test_rows_say_why_tasks_failed_and_how_far_commands_are(running: Running) -> None:
    fleet = await fleet_of("ended", "under way")
    finish(fleet, 1, exit_code=3)
    async with running(fleet, (160, 30)) as pilot:
        assert re.search(r"ended .*2✘ of 2 exit 3 on 2 ", shown(pilot))
        assert "▄" not in shown(pilot)
        fleet.emit(fleet.execution(2, "web01"), b"60%\n")
        await settle(pilot)
        dashboard_of(pilot).tick()
        await settle(pilot)
        assert re.search("under way .*▄{4,8}░", shown(pilot))
        fleet.finish(fleet.execution(2, "web02"), 4)
        await settle(pilot)
        assert re.search("under way .*1✘ web02  exit 4 on 1", shown(pilot))
        fleet.finish(fleet.execution(2, "web01"))
        await settle(pilot)
        read = fleet.calls.count("summarize_tasks")
        dashboard_of(pilot).tick()  # nothing has changed since
        await settle(pilot)
        assert fleet.calls.count("summarize_tasks") == read


async def test_a_task_keeps_its_mark_when_it_starts_and_when_it_ends(running: Running) -> None:
    fleet = await fleet_of("other")
    await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "marked"))
    async with running(fleet, (120, 30)) as pilot:
        await press(pilot, "tab", "home", "space")
        assert re.search("◆ ◌ .*marked", shown(pilot))
        await fleet.start_task(2)
        await settle(pilot)
        assert re.search("◆ ▶ .*marked", shown(pilot))
        assert "Now 2  ◆ 1 marked" in shown(pilot)
        finish(fleet, 2)
        await settle(pilot)
        assert re.search("◆ ✔ .*marked", shown(pilot))
        assert "Recent 1  ◆ 1 marked ─" in shown(pilot)
        assert [task.task_id for task in dashboard_of(pilot).chosen_tasks()] == [2]
