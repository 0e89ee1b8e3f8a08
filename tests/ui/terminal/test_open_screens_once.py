"""A key that is pressed twice, or whose form opens late, opens no screen a second time."""

from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.fake_operator.held_operator import HeldOperator
from tests.ui.conftest import Running, press, settle
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.hosts.host_forms import LabelsForm
from tui_manager.ui.forms.hosts.join_token import JoinTokenScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.schedules.schedule_form import ScheduleForm
from tui_manager.ui.forms.tasks.rerun_task import RerunScreen
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.frame.notices_screen import NoticesScreen
from tui_manager.ui.frame.palette import ManagerPalette
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

KEYS_OF_APP = [
    ("help", "question_mark", HelpScreen),
    ("palette", "colon", ManagerPalette),
    ("join_token", "J", JoinTokenScreen),
    ("new_task", "n", NewTaskScreen),
    ("notices", "i", NoticesScreen),
    ("quit", "q", ConfirmScreen),
]


def stack(pilot: "Pilot[None]") -> list[type[Screen[Any]]]:
    """The classes of the screens that lie above the first one."""
    return [type(screen) for screen in pilot.app.screen_stack[1:]]


async def test_an_action_of_the_app_opens_no_second_screen(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        for action, key, opened in KEYS_OF_APP:
            await press(pilot, key)
            assert stack(pilot) == [opened], action
            await pilot.app.run_action(f"app.{action}")
            await settle(pilot)
            assert stack(pilot) == [opened], action
            await press(pilot, "escape")
            assert stack(pilot) == [], action


async def test_the_key_of_the_help_closes_it(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "question_mark")
        assert stack(pilot) == [HelpScreen]
        await press(pilot, "question_mark")
        assert stack(pilot) == []
        await press(pilot, "question_mark", "slash", "question_mark")
        assert stack(pilot) == [HelpScreen]
        assert pilot.app.screen.query_one(Input).value == "?"


# Where a key is pressed, the key, and what it opens.
KEYS_THAT_READ: list[tuple[tuple[str, ...], str, type[Screen[Any]]]] = [
    (("3", "home"), "e", NewTaskScreen),
    (("3", "end"), "r", RerunScreen),  # the last one has ended
    (("3", "home"), "c", ConfirmScreen),
    (("2",), "l", LabelsForm),
    (("5",), "e", ScheduleForm),
]


async def test_a_key_pressed_again_while_the_manager_is_slow_opens_one_form(
    fleet: FakeOperator, running: Running
) -> None:
    held = HeldOperator(fleet)
    async with running(held) as pilot:
        for place, key, opened in KEYS_THAT_READ:
            await press(pilot, *place)
            held.hold()
            await press(pilot, key, key, key)
            held.release()
            await settle(pilot, 8)
            assert stack(pilot) == [opened], (place, key)
            await press(pilot, "escape")
            assert stack(pilot) == [], (place, key)


async def test_the_screen_of_one_task_is_not_opened_above_itself(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        for task_id in (1, 1, 2, 1):
            await pilot.app.run_action(("app", "open_task", (task_id,)))
        assert stack(pilot) == [TaskScreen] * 3


async def test_the_screen_of_one_host_is_not_opened_above_itself(
    fleet: FakeOperator, running: Running
) -> None:
    one, other = list(fleet.hosts)[:2]
    async with running(fleet) as pilot:
        for host_id in (one, one, other, one):
            await pilot.app.run_action(("app", "open_host", (host_id,)))
        assert stack(pilot) == [HostScreen] * 3


async def test_a_removed_host_closes_its_screen_not_the_form_above_it(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await press(pilot, "2", "enter")
        screen = app.screen
        assert isinstance(screen, HostScreen)
        await press(pilot, "n", *"typed")
        form = app.screen
        assert isinstance(form, NewTaskScreen)
        name = next(name for name, host in fleet.hosts.items() if host.host_id == screen.host_id)
        del fleet.hosts[name]
        fleet._order = None
        fleet.publish(Changes(hosts=True))
        await settle(pilot)
        assert app.screen is form
        await press(pilot, "escape", "y")
        assert isinstance(app.screen, HostsScreen)
