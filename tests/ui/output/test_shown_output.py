"""Whose output the dashboard shows, and what its title says."""

import re

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, draw, press, settle, shown
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.output.output_pane import OutputPane

HIGH = (120, 90)  # a few pages of it are more than what is read at once


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
        await press(pilot, "up", "o", "tab", "tab", "up")  # another task
        text = shown(pilot)
        assert "Output  #2 hello  ▼ following" in text
        assert "web02 of task 2" in text
        await press(pilot, "o")
        assert "Select a host in Hosts" in shown(pilot)


async def test_hosts_with_long_names_are_told_apart(running: Running) -> None:
    names = [f"payments-worker-eu1-node000{number}" for number in (1, 2)]
    fleet = FakeOperator()
    for name in names:
        fleet.add_host(name)
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("hello"),)))
    await fleet.start_task(task)
    for name in names:
        fleet.emit(fleet.execution(task, name), b"out\n")
    async with running(fleet, (300, 60)) as pilot:
        await press(pilot, "down")
        text = shown(pilot)
        assert all(f"{name} │ out" in text for name in names)
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        ends = re.findall(r"pay[a-z0-9-]*…[a-z0-9-]*-(node\d+) │ out", shown(pilot))
        assert ends == ["node0001", "node0002"]


async def test_what_has_ended_is_not_followed(running: Running) -> None:
    fleet = await two_tasks()
    async with running(fleet) as pilot:
        await press(pilot, "down", "up")
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


def lines_of(first: int, last: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, last))


async def long_output(count: int = 400) -> tuple[FakeOperator, str]:
    """A task that printed so many chunks of 1,000 lines each, and its execution."""
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")
    for number in range(count):
        fleet.emit(execution, lines_of(1000 * number, 1000 * (number + 1)))
    return fleet, execution


def pane_of(pilot: "Pilot[None]") -> OutputPane:
    return pilot.app.screen.query_one(OutputPane)


async def test_all_that_is_stored_is_shown_wherever_one_scrolls(running: Running) -> None:
    fleet, _ = await long_output()
    async with running(fleet, HIGH) as pilot:
        await press(pilot, "enter", "tab")
        assert line_numbers(shown(pilot))[-1] == "399999"
        await press(pilot, "home")
        numbers = line_numbers(shown(pilot))
        assert numbers[0] == "0"
        assert "at 0%" in shown(pilot)
        for page in range(15):
            await press(pilot, "pagedown")
            after = line_numbers(shown(pilot))
            assert int(after[0]) == int(numbers[-1]) + 1, page
            numbers = after
        pane = pane_of(pilot)
        assert pane.reader is not None
        assert pane.reader.window.size <= 2 << 20
        await press(pilot, "end")
        assert line_numbers(shown(pilot))[-1] == "399999"
        for page in range(15):
            numbers = line_numbers(shown(pilot))
            await press(pilot, "pageup")
            assert int(line_numbers(shown(pilot))[-1]) == int(numbers[0]) - 1, page


async def test_the_scrollbar_goes_about_to_its_place(running: Running) -> None:
    fleet, _ = await long_output()
    async with running(fleet) as pilot:
        await press(pilot, "enter")
        pane = pane_of(pilot)
        pane.scroll_to(y=pane.max_scroll_y // 2, animate=False)
        await settle(pilot)
        (middle, *_), (percent,) = (
            line_numbers(shown(pilot)),
            re.findall(r"at (\d+)%", shown(pilot)),
        )
        assert 150_000 < int(middle) < 250_000
        assert 45 < int(percent) < 55
        assert pane.scroll_y == pytest.approx(pane.max_scroll_y / 2, rel=0.1)


async def test_what_is_read_stays_in_place_while_lines_come_and_are_dropped(
    running: Running,
) -> None:
    fleet, execution = await long_output(20)
    async with running(fleet) as pilot:
        await press(pilot, "enter", "tab", "pageup", "pageup", "pageup")
        before = line_numbers(shown(pilot))
        for number in range(300):
            fleet.emit(execution, lines_of(20_000 + 1000 * number, 20_000 + 1000 * (number + 1)))
        await settle(pilot)
        assert line_numbers(shown(pilot)) == before
        await press(pilot, "f")
        assert line_numbers(shown(pilot))[-1] == "319999"


async def test_following_does_not_read_all_of_a_flood(running: Running) -> None:
    fleet, execution = await long_output(2)
    async with running(fleet) as pilot:
        await press(pilot, "enter")
        fleet.emit(execution, b"")
        for number in range(2, 500):
            fleet.emit(execution, lines_of(1000 * number, 1000 * (number + 1)))
        reads = fleet.calls.count("follow_output")
        await settle(pilot)
        assert line_numbers(shown(pilot))[-1] == "499999"
        assert fleet.calls.count("follow_output") - reads < 10


async def test_a_line_of_megabytes_is_shown_to_its_end(running: Running) -> None:
    fleet, execution = await long_output(1)
    for number in range(48):
        fleet.emit(execution, b"".join(b"%07d " % (8192 * number + at) for at in range(8192)))
    fleet.emit(execution, b"\nafter\n")
    async with running(fleet, HIGH) as pilot:
        await press(pilot, "enter", "tab")
        assert "after" in shown(pilot)
        assert "line 999" in shown(pilot)  # the long line takes one row
        assert fleet.calls.count("follow_output") < 30
        await press(pilot, "w", "end")
        assert "0393215" in shown(pilot)
        await press(pilot, "home", "pagedown", "pagedown")
        await press(pilot, *["pagedown"] * 20)
        pane = pane_of(pilot)
        rows = [pane.render_line(y).text[2:].replace(" ", "") for y in range(pane.size.height)]
        assert len("".join(rows)) > 1000
        assert "".join(rows) in "".join(f"{number:07}" for number in range(48 * 8192))


async def test_times_are_shown_on_request(running: Running) -> None:
    fleet = await two_tasks()
    async with running(fleet) as pilot:
        line = rf"{fleet.now():%H:%M:%S} web02 +│ web02 of task 2"
        assert not re.search(line, shown(pilot))
        await press(pilot, "tab", "T")
        assert re.search(line, shown(pilot))


async def test_output_is_drawn_again_only_if_there_is_more(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = await two_tasks()
    drawn: list[int] = []
    render_line = OutputPane.render_line

    def count(pane: OutputPane, y: int) -> Strip:
        drawn.append(y)
        return render_line(pane, y)

    async with running(fleet) as pilot:
        source = pilot.app.screen.query_one(OutputPane).source
        assert source is not None
        draw(pilot)
        monkeypatch.setattr(OutputPane, "render_line", count)
        fleet.publish(Changes(tasks=frozenset({source.task_id})))
        await settle(pilot)
        assert drawn == []
        fleet.emit(fleet.execution(source.task_id, "web02"), b"one more\n")
        await settle(pilot)
        assert drawn
        assert "one more" in shown(pilot)


async def test_files_have_no_output_and_say_what_became_of_them(running: Running) -> None:
    fleet = FakeOperator()
    for host in ("web01", "web02"):
        fleet.add_host(host)
    files = FileSet("5d" * 32, 900, 68, 2, 68)
    fleet.sets[files.sha256] = b"", b""
    copy = CopySpec(files, "/srv/app/", sources=("app",))
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("", copy=copy),)))
    await fleet.start_task(task)
    fleet.finish_transfer(fleet.execution(task, "web01"), Transfer(68, 2, 2, 0, "ab" * 32))
    fleet.fail_transfer(fleet.execution(task, "web02"), "/srv/app: No space left on device.")
    async with running(fleet) as pilot:
        await settle(pilot)
        text = shown(pilot)
        assert "web01: unchanged, 2 files, 68 B" in text
        assert "No space left on device." in text
        assert "No output" not in text
