"""Leaving the dashboard: what is asked and said."""

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.seeded.seeded_managers import add_managers
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.ui.app import DashboardApp


async def test_quit_asks_only_when_something_would_stop(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "q")
        assert "The manager stops." in shown(pilot)
        await press(pilot, "escape", "q", "y")
        assert pilot.app._exit
    assert fleet.closed
    async with running(fleet, joined=True) as pilot:
        await press(pilot, "q")
        assert pilot.app._exit


async def test_quit_says_that_other_managers_go_on(fleet: FakeOperator, running: Running) -> None:
    add_managers(fleet)
    async with running(fleet) as pilot:
        await press(pilot, "q")
        assert "This manager stops." in shown(pilot)
        assert "which go to the other managers" in " ".join(shown(pilot).split())
    fleet.managers = fleet.managers[:2]  # the other one is not heard
    async with running(fleet) as pilot:
        await press(pilot, "q")
        assert "The manager stops." in shown(pilot)


async def test_ctrl_c_says_how_to_quit(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "ctrl+c")
        assert [note.message for note in pilot.app._notifications] == ["q quits."]


async def test_quit_says_what_ends_with_the_app(fleet: FakeOperator) -> None:
    app = DashboardApp(fleet.open, quit_text="It ends: " + "word " * 20 + "end.", now=fleet.now)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "q")
        text = shown(pilot)
        assert "It ends:" in text
        assert "word end." in text
        assert "keep running" not in text
