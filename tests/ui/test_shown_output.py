"""Whose output the dashboard shows, and what its title says."""

import re

from tests.support.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.output.output_buffer import LINES_MAX


async def two_tasks() -> FakeOperator:
    """#1 on web01 and web02, which printed; #2 on web02 alone, which printed."""
    fleet = FakeOperator()
    fleet.add_host("web01")
    fleet.add_host("web02")
    for target, hosts in (("@all", ("web01", "web02")), ("web02", ("web02",))):
        task = await fleet.create_task(TaskSpec(target, (CommandSpec("hello"),)))
        await fleet.start_task(task)
        for host in hosts:
            fleet.emit(fleet.execution(task, host), f"{host} of task {task}\n".encode())
    return fleet


async def test_the_cursor_in_hosts_changes_no_output(running: Running) -> None:
    async with running(await two_tasks()) as pilot:
        await press(pilot, "down")
        assert "web01 of task 1" in shown(pilot)
        await press(pilot, "tab", "tab", "down")
        dashboard = pilot.app.screen
        assert isinstance(dashboard, DashboardScreen)
        assert dashboard.focused is dashboard.hosts
        assert dashboard.hosts.selected
        text = shown(pilot)
        assert "web01 of task 1" in text
        assert "web02 of task 1" in text
        assert "Output  #1 hello  ▼ following" in text


async def test_o_shows_one_host_and_another_task_all(running: Running) -> None:
    async with running(await two_tasks()) as pilot:
        await press(pilot, "down", "tab", "tab", "o")
        text = shown(pilot)
        assert "Output  #1 hello on web01  ▼ following" in text
        assert "web01 of task 1" in text
        assert "web02 of task 1" not in text
        await press(pilot, "down")  # the cursor alone changes nothing
        assert "on web01" in shown(pilot)
        await press(pilot, "o")
        assert "Output  #1 hello on web02" in shown(pilot)
        await press(pilot, "o")
        assert "web01 of task 1" in shown(pilot)
        await press(pilot, "up", "o", "tab", "up")  # another task
        text = shown(pilot)
        assert "Output  #2 hello  ▼ following" in text
        assert "web02 of task 2" in text
        await press(pilot, "o")
        assert "Select a host in Hosts" in shown(pilot)


async def test_what_has_ended_is_not_followed(running: Running) -> None:
    fleet = await two_tasks()
    async with running(fleet) as pilot:
        assert "▼ following" in shown(pilot)
        fleet.finish(fleet.execution(2, "web02"))
        await settle(pilot)
        text = shown(pilot)
        assert "Output  #2 hello ─" in text
        assert "following" not in text
        await press(pilot, "enter")
        assert "following" not in shown(pilot)


async def test_what_has_ended_without_output_is_not_waited_for(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    async with running(fleet) as pilot:
        assert "No output yet." in shown(pilot)
        fleet.finish(fleet.execution(task, "web01"))
        await settle(pilot)
        text = shown(pilot)
        assert "No output." in text
        assert "No output yet." not in text


def line_numbers(text: str) -> list[str]:
    """Of the lines of output that are seen."""
    return re.findall(r"│ line (\d+)", text)


async def test_the_pane_says_how_many_lines_it_dropped(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")
    fleet.emit(execution, b"".join(b"line %d\n" % number for number in range(LINES_MAX)))
    async with running(fleet) as pilot:
        await press(pilot, "tab", "home")
        assert "not kept here" not in shown(pilot)
        await press(pilot, "end")
        fleet.emit(execution, b"".join(b"more %d\n" % number for number in range(1234)))
        await settle(pilot)
        assert "more 1233" in shown(pilot)
        await press(pilot, "home")
        text = shown(pilot)
        assert "… 1,234 earlier lines not kept here: ctrl+s saves all output" in text
        assert line_numbers(text)[0] == "1234"
        await press(pilot, "w")
        assert "… 1,234 earlier lines not kept here" in shown(pilot)


async def test_what_is_read_stays_in_place_while_lines_are_dropped(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")
    fleet.emit(execution, b"".join(b"line %d\n" % number for number in range(LINES_MAX)))
    async with running(fleet) as pilot:
        await press(pilot, "tab", "pageup", "pageup", "pageup")
        before = line_numbers(shown(pilot))
        for _ in range(2):
            fleet.emit(execution, b"more\n" * 50)
            await settle(pilot)
        assert line_numbers(shown(pilot)) == before
