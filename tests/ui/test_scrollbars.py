"""What is longer than its pane says so, and can be scrolled by mouse."""

import pytest
from textual.events import MouseScrollUp
from textual.pilot import Pilot
from textual.scroll_view import ScrollView
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.tasks.lists.running_tasks_table import RunningTasksTable

WAYS = {
    "dashboard": (),
    "hosts": ("2",),
    "tasks": ("3",),
    "manager": ("4",),
    "task": ("enter",),
    "groups": ("enter", "equals_sign"),
}


async def one_host() -> tuple[FakeOperator, str]:
    """An operator with a task that runs on one host, and its execution."""
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    return fleet, fleet.execution(task, "web01")


def output_of(pilot: "Pilot[None]") -> OutputPane:
    return pilot.app.screen.query_one(OutputPane)


async def scroll_up(pilot: "Pilot[None]", pane: OutputPane) -> None:
    """Turns the wheel of a mouse over a pane."""
    x, y = pane.region.center
    turn = MouseScrollUp(pane, int(x), int(y), 0, -1, 0, False, False, False)
    pilot.app.screen._forward_event(turn)
    await pilot.wait_for_animation()
    await settle(pilot)


@pytest.mark.parametrize("way", list(WAYS))
async def test_whatever_is_longer_than_its_pane_has_a_scrollbar(running: Running, way: str) -> None:
    fleet = FakeOperator()
    for number in range(60):
        fleet.add_host(f"web{number:02}")
    for _ in range(60):
        task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    for number in range(60):
        fleet.emit(fleet.execution(task, f"web{number:02}"), b"%d\n" % number * 60)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *WAYS[way])
        await settle(pilot)
        panes = [
            pane
            for pane in pilot.app.screen.query("*")
            if isinstance(pane, ScrollView)
            and not isinstance(pane, Input | RunningTasksTable)  # which is as high as its one task
            and pane.size
        ]
        assert panes
        for pane in panes:
            assert pane.virtual_size.height > pane.size.height
            assert pane.show_vertical_scrollbar, pane
            assert pane.vertical_scrollbar.position == pane.scroll_y, pane


@pytest.mark.parametrize("keys", [(), ("w",)])
async def test_the_scrollbar_takes_nothing_from_a_line(
    running: Running, keys: tuple[str, ...]
) -> None:
    fleet, execution = await one_host()
    fleet.emit(execution, b"x" * 300)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "enter", *keys)
        pane = output_of(pilot)
        width = pane.text_width

        def line() -> str:
            return pane.render_line(0).text

        before = line()
        assert not pane.show_vertical_scrollbar
        assert before.count("x") == width - (not keys)  # the mark of a cut line
        fleet.emit(execution, b"\n" + b"y\n" * 100)
        await settle(pilot)
        pane.scroll_home(animate=False)
        await settle(pilot)
        assert pane.show_vertical_scrollbar
        assert (pane.text_width, line()) == (width, before)
        seen = sum(row.count("x") for row in shown(pilot).splitlines() if "│ x" in row)
        assert seen == (300 if keys else width - 1)


async def test_the_wheel_stops_following(running: Running) -> None:
    fleet, execution = await one_host()
    fleet.emit(execution, b"line\n" * 100 + b"last\n")
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "enter")
        pane = output_of(pilot)
        assert pane.follow
        end = pane.scroll_y
        assert pane.vertical_scrollbar.position == end > 0
        await scroll_up(pilot, pane)
        assert pane.scroll_y < end
        assert not pane.follow
        fleet.emit(execution, b"newer\n")
        await settle(pilot)
        assert not any("newer" in pane.render_line(y).text for y in range(pane.size.height))


async def test_the_scrollbar_is_dragged(running: Running) -> None:
    fleet, execution = await one_host()
    fleet.emit(execution, b"first\n" + b"line\n" * 200)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "enter")
        pane = output_of(pilot)
        bar = pane.vertical_scrollbar
        assert "first" not in shown(pilot)
        x, bottom = bar.region.x, bar.region.bottom - 1
        await pilot.mouse_down(offset=(x, bottom))
        await pilot.hover(offset=(x, 0))
        await pilot.mouse_up(offset=(x, 0))
        await pilot.wait_for_animation()
        await settle(pilot)
        assert "first" in shown(pilot)
        assert not pane.follow
