"""Output is scrolled by keys and by mouse while more of it comes."""

from collections.abc import Callable

import pytest
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.scroll_view import ScrollView

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.output.output_pane import OutputPane

PANES = {
    "dashboard": ("shift+tab",),
    "task": ("enter", "tab"),
    "groups": ("enter", "equals_sign"),
}
KEYS = ("pageup", "pagedown", "pageup", "end", "home", "end", "pageup", "f")
Grow = Callable[[], None]


async def growing() -> tuple[FakeOperator, Grow]:
    """An operator with a task that has written 100 lines, and a call by which it writes more."""
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")

    def grow() -> None:
        fleet.emit(execution, b"line\n" * 20)

    for _ in range(5):
        grow()
    return fleet, grow


def focused_pane(pilot: "Pilot[None]") -> ScrollView:
    pane = pilot.app.focused
    assert isinstance(pane, ScrollView)
    assert pane.max_scroll_y > 0
    return pane


async def at_rest(pilot: "Pilot[None]") -> None:
    """Until nothing moves any more."""
    await pilot.wait_for_scheduled_animations()
    await settle(pilot, 2)


@pytest.mark.parametrize("place", PANES)
async def test_back_to_the_end_by_keys(running: Running, place: str) -> None:
    fleet, _ = await growing()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *PANES[place])
        pane = focused_pane(pilot)
        for key in KEYS:
            await pilot.press(key)
            await at_rest(pilot)
            if key == "end" or (isinstance(pane, OutputPane) and key in ("pagedown", "f")):
                assert pane.scroll_y == pane.max_scroll_y


@pytest.mark.parametrize("place", ["dashboard", "task"])
async def test_back_to_the_end_while_output_comes(running: Running, place: str) -> None:
    fleet, grow = await growing()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *PANES[place])
        pane = focused_pane(pilot)
        assert isinstance(pane, OutputPane)
        for key in ("pageup", "pagedown", "home", "end", "pageup", "end"):
            grow()
            await pilot.press(key)
            grow()
            await at_rest(pilot)
        assert pane.follow
        grow()
        await at_rest(pilot)
        assert pane.scroll_y == pane.max_scroll_y


async def test_what_is_scrolled_up_stays_in_sight_while_output_comes(running: Running) -> None:
    fleet, grow = await growing()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *PANES["task"])
        pane = focused_pane(pilot)
        grow()
        await pilot.press("pageup")
        place = pane.scroll_y
        grow()
        await at_rest(pilot)
        assert pane.scroll_y == place < pane.max_scroll_y


async def test_back_to_the_end_by_the_wheel_and_the_scrollbar(running: Running) -> None:
    fleet, grow = await growing()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *PANES["task"])
        pane = focused_pane(pilot)
        x, y = (int(part) for part in pane.region.center)
        for turn in (MouseScrollUp, MouseScrollDown):
            pilot.app.screen._forward_event(turn(pane, x, y, 0, 1, 0, False, False, False))
            await at_rest(pilot)
        grow()
        await at_rest(pilot)
        assert pane.scroll_y == pane.max_scroll_y
        bar = pane.vertical_scrollbar
        for action in (bar.action_scroll_up, bar.action_scroll_down):
            action()
            await at_rest(pilot)
        grow()
        await at_rest(pilot)
        assert pane.scroll_y == pane.max_scroll_y


async def test_keys_in_one_burst_add_up(running: Running) -> None:
    fleet, _ = await growing()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, *PANES["task"])
        pane = focused_pane(pilot)
        assert isinstance(pane, OutputPane)
        await pilot.press("home", "pagedown", "pagedown")
        await at_rest(pilot)
        assert pane.scroll_y == 2 * pane.size.height
        await pilot.press("end", "pageup")
        await at_rest(pilot)
        assert pane.scroll_y == pane.max_scroll_y - pane.size.height
