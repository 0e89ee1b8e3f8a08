"""What is drawn, and what is not: a frame that shows nothing new holds up the one that does."""

from typing import Any

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, draw, press, settle, shown
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.frame import main_screen
from tui_manager.ui.frame.header import HeaderLine
from tui_manager.ui.frame.main_screen import TICK, MainScreen
from tui_manager.ui.manager_link import ManagerChanged
from tui_manager.ui.output.output_pane import OutputPane


def noted(monkeypatch: pytest.MonkeyPatch, widget: type[Any]) -> list[dict[str, Any]]:
    """How a kind of widget asks to be drawn from now on."""
    asked: list[dict[str, Any]] = []
    refresh = widget.refresh

    def note(self: Any, *regions: Any, **given: Any) -> Any:
        asked.append(given)
        return refresh(self, *regions, **given)

    monkeypatch.setattr(widget, "refresh", note)
    return asked


async def test_the_header_is_drawn_when_it_says_something_else(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(fleet) as pilot:
        draw(pilot)
        asked = noted(monkeypatch, HeaderLine)
        pilot.app.screen.post_message(ManagerChanged(Changes(hosts=True)))
        await settle(pilot)
        assert not asked
        fleet.attention = (Alert("Something is wrong."),)
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert asked
        assert "1" in shown(pilot).splitlines()[0]


async def test_a_line_of_output_needs_no_other_layout(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await fleet.create_task(TaskSpec("web01", (CommandSpec("print"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")
    async with running(fleet) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        pane = screen.output
        fleet.emit(execution, b"line\n" * 100)
        await settle(pilot)
        before = pane.virtual_size.height
        asked = noted(monkeypatch, OutputPane)
        fleet.emit(execution, b"line 100\n")
        await settle(pilot)
        assert asked
        assert not any(given.get("layout") for given in asked)
        assert pane.virtual_size.height > before
        assert pane.vertical_scrollbar.window_virtual_size == pane.virtual_size.height
        assert pane.scroll_offset.y == pane.max_scroll_y
        assert "line 100" in shown(pilot)


async def test_every_screen_ticks_once_a_second(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking: list[MainScreen] = []
    set_interval = MainScreen.set_interval

    def note(self: MainScreen, interval: float, *given: Any, **more: Any) -> Any:
        if given[:1] == (self.tick,):
            assert interval == main_screen.TICK
            ticking.append(self)
        return set_interval(self, interval, *given, **more)

    monkeypatch.setattr(MainScreen, "set_interval", note)
    async with running(fleet) as pilot:
        await press(pilot, "2", "3", "4", "1", "home", "down", "enter")
        assert len(ticking) == len(set(ticking)) == 5
    assert TICK == 1.0  # as it was imported: it is longer in tests
