"""The screen of a task: what its keys and its map do, and what it says while the task changes."""

import re
from datetime import timedelta

import pytest
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import EVERYTHING, FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.status import Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.domain.tasks.transitions import Operation
from tui_manager.ui.tasks.one_task import task_screen
from tui_manager.ui.tasks.one_task.task_map_strip import TaskMapStrip
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen


async def started(fleet: FakeOperator, *commands: str) -> int:
    """The newest task, on the 14 web servers."""
    steps = tuple(CommandSpec(text, timedelta(minutes=5)) for text in commands or ("work",))
    task_id = await fleet.create_task(TaskSpec("role=web", steps, "restart"))
    await fleet.start_task(task_id)
    return task_id


def screen_of(pilot: object) -> TaskScreen:
    screen = pilot.app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, TaskScreen)
    return screen


def selected(pilot: object) -> str:
    row = screen_of(pilot).rows.selected
    assert row is not None
    return row.host


async def test_it_says_until_when_it_waits_for_an_offline_host(
    fleet: FakeOperator, running: Running
) -> None:
    spec = TaskSpec("role=web", (CommandSpec("work"),), "restart", offline=Offline.WAIT)
    task_id = await fleet.create_task(spec)
    await fleet.start_task(task_id)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "home", "enter")
        assert "○ 1 host waits for its connection, until 15:03" in shown(pilot)
        await press(pilot, "slash", *"web04", "enter")
        assert re.search("web04 +waiting +for its connection, until 15:03", shown(pilot))
        await fleet.pause_task(task_id)
        await settle(pilot)
        assert "for its connection" not in shown(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_rows_have_the_last_line_of_their_commands(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    task_id = await started(fleet)
    fleet.emit(fleet.execution(task_id, "web01"), b"Reading 5%\rReading 61%")
    fleet.emit(fleet.execution(task_id, "web02"), b"[b]no key\n", Stream.STDERR)
    fleet.finish(fleet.execution(task_id, "web02"), 4)
    async with running(fleet, size) as pilot:
        await press(pilot, "home", "enter")
        text = shown(pilot)
        assert "▇▇▇▇▇▁▁▁▁  61%" in text
        assert "Reading" in text
        assert "┃[b]no key" in text
        assert "✘ exit 4: 1 host web02" in text
        assert "▶✘◌◌◌◌◌◌◌◌◌◌◌◌" in text
        reads = fleet.calls.count("read_last_lines")
        fleet.finish(fleet.execution(task_id, "web03"))  # it has printed nothing
        await settle(pilot)
        assert fleet.calls.count("read_last_lines") == reads
        fleet.emit(fleet.execution(task_id, "web01"), b"\rReading 70%")
        await settle(pilot)
        assert " 70%" in shown(pilot)
        assert fleet.calls.count("read_last_lines") == reads + 1


async def test_rows_that_a_larger_terminal_shows_have_their_last_lines_at_once(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet)
    for number in range(1, 15):
        fleet.emit(fleet.execution(task_id, f"web{number:02}"), b"line of %d\n" % number)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "home", "enter")
        assert "line of 14" not in shown(pilot)
        await pilot.resize_terminal(80, 50)
        await settle(pilot)
        assert "line of 14" in shown(pilot)


async def test_a_small_terminal_has_rows_of_hosts_below_the_head(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet, *(f"work {number}" for number in range(7)))
    fleet.emit(fleet.execution(task_id, "web01"), b"line of output\n")
    fleet.finish(fleet.execution(task_id, "web01"), 9)
    await fleet.pause_task(task_id)
    async with running(fleet, (60, 16)) as pilot:
        await press(pilot, "home", "enter", "home")
        text = shown(pilot)
        assert "✘ exit 9: 1 host web01" in text
        assert "▸ ✘    1 web01" in text
        assert "  ◌    1 web02" in text
        assert "line of output" in text


async def test_the_output_of_a_failed_host_has_long_lines_whole(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet)
    for name in ("web01", "web02"):
        fleet.emit(fleet.execution(task_id, name), b"FAILED: " + b"why " * 30 + b"not\n")
    fleet.finish(fleet.execution(task_id, "web01"), 1)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "home", "enter", "home")
        assert selected(pilot) == "web01"
        assert "why not" in shown(pilot)
        await press(pilot, "down")
        assert selected(pilot) == "web02"
        assert "why not" not in shown(pilot)


async def test_f_goes_from_failure_to_failure_and_around(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet)
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter", "F")
        assert "No command of this task has failed." in shown(pilot)
        for name in ("web03", "web07", "web09"):
            fleet.finish(fleet.execution(task_id, name), 1)
        await settle(pilot)
        await press(pilot, "home")
        found = [selected(pilot)]
        for _ in range(3):
            await press(pilot, "F")
            found.append(selected(pilot))
        assert found == ["web03", "web07", "web09", "web03"]
        screen_of(pilot).rows.sort_by("host")
        await settle(pilot)
        await press(pilot, "F")
        assert selected(pilot) == "web07"
        await press(pilot, "home", "F")
        assert selected(pilot) == "web03"


@pytest.mark.parametrize("sort", ["", "host"])
async def test_f_goes_on_behind_the_first_page_of_failures(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(task_screen, "LIMIT_MAX", 2)
    task_id = await started(fleet)
    names = ["web03", "web05", "web07", "web09", "web11"]
    for name in names:
        fleet.finish(fleet.execution(task_id, name), 1)
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter", "home")
        if sort:
            screen_of(pilot).rows.sort_by(sort)
            await settle(pilot)
        found = []
        for _ in range(6):
            found.append(selected(pilot))
            await press(pilot, "F")
        assert found == [*names, names[0]]


async def test_f_passes_over_what_an_earlier_failure_has_skipped(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet, "one", "two")
    for name in ("web03", "web07"):
        fleet.finish(fleet.execution(task_id, name), 1)
        skipped = fleet.execution(task_id, name, 1)
        fleet.apply(skipped, Operation.SKIP, Reason.EARLIER_FAILED)
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter", "home")
        found = []
        for _ in range(3):
            await press(pilot, "F")
            row = screen_of(pilot).rows.selected
            assert row is not None
            found.append((row.host, row.command))
        assert found == [("web07", 0), ("web03", 0), ("web07", 0)]


async def test_marked_hosts_are_the_target_of_a_new_task(
    fleet: FakeOperator, running: Running
) -> None:
    await started(fleet, "one", "two")
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter", "space", "space")
        screen = screen_of(pilot)
        assert [*screen.marked_task_hosts()] == ["host-web01", "host-web02"]
        assert "2 steps each" in shown(pilot)
        await press(pilot, "n")
        assert pilot.app.screen.query(Input).first().value == "web01,web02"


async def test_a_click_on_a_cell_selects_its_host(fleet: FakeOperator, running: Running) -> None:
    task_id = await started(fleet, "one", "two")
    fleet.finish(fleet.execution(task_id, "web05"), 3)
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter")
        await pilot.click(TaskMapStrip, offset=(1 + 8, 0))
        await settle(pilot)
        assert selected(pilot) == "web09"
        await pilot.click(TaskMapStrip, offset=(1 + 4, 0))
        await settle(pilot)
        row = screen_of(pilot).rows.selected
        assert row is not None
        assert (row.host, row.exit_code) == ("web05", 3)  # the step that failed


async def test_a_canceled_task_counts_down_and_then_says_the_proof(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet)
    execution = fleet.execution(task_id, "web01")
    fleet.emit(execution, b"working\n")
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter", "c", "y")
        text = shown(pilot)
        assert "■ canceling for 0:00" in text
        assert "SIGKILL in 10s" in text
        assert "hosts still run, SIGKILL in 0:10" in text
        fleet.apply(execution, Operation.CONFIRM_CANCEL, Reason.CANCELED)
        await settle(pilot)
        text = shown(pilot)
        assert "canceled" in text
        assert "all processes gone" in text


async def test_a_task_that_is_removed_while_it_is_seen_says_so(
    fleet: FakeOperator, running: Running
) -> None:
    task_id = await started(fleet)
    async with running(fleet) as pilot:
        await press(pilot, "home", "enter")
        del fleet.tasks[task_id]
        fleet.publish(EVERYTHING)
        await settle(pilot)
        assert "This task is not stored any more" in shown(pilot)
        await press(pilot, "F", "down", "equals_sign", "escape", "escape")
        fleet.publish(EVERYTHING)
        await settle(pilot)
        assert not isinstance(pilot.app.screen, TaskScreen)


async def test_the_head_shows_how_far_the_running_commands_are(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (120, 36)) as pilot:
        await pilot.app.run_action(("app", "open_task", (5,)))
        await settle(pilot)
        assert "running 61%" in shown(pilot)
        run = fleet.execution(5, "web06")
        fleet.emit(run, b"Progress: [ 81%]\r")
        pilot.app.screen.tick()  # type: ignore[attr-defined]
        await settle(pilot)
        assert "running 71%" in shown(pilot), "the mean of two"
