"""Every key, pressed, at the smallest size, and one of each action of a screen at a large one."""

import re

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.action import Pane, ScreenName
from tui_manager.ui.action_table import ACTIONS
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.files.export_task import ExportScreen
from tui_manager.ui.forms.hosts.host_forms import LabelsForm, MaintenanceForm, RenameForm
from tui_manager.ui.forms.hosts.join_token import JoinTokenScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.schedules.schedule_form import ScheduleForm
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.frame.notices_screen import NoticesScreen
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.key_bindings import actions_of
from tui_manager.ui.manager.manager_screen import ManagerScreen
from tui_manager.ui.output.actions.save_output import SaveOutputScreen
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SMALL, LARGE = (80, 24), (160, 48)
# Where a key leads that opens something.
OPENS = {
    "new_task": NewTaskScreen,
    "cancel_task": ConfirmScreen,
    "open": TaskScreen,
    "rename_host": RenameForm,
    "palette": CommandPalette,
    "help": HelpScreen,
    "notices": NoticesScreen,
    "join_token": JoinTokenScreen,
    "quit": ConfirmScreen,
    "save_output": SaveOutputScreen,
    "export_task": ExportScreen,
    "show_dashboard": DashboardScreen,
    "show_hosts": HostsScreen,
    "show_tasks": TasksScreen,
    "show_manager": ManagerScreen,
    "show_schedules": SchedulesScreen,
    "run_saved": ConfirmScreen,
    "add_schedule": ScheduleForm,
    "edit_schedule": ScheduleForm,
    "delete_saved": ConfirmScreen,
}
# And where it leads elsewhere than on the other screens.
OPENS_HERE = {
    # The hosts have the focus there since the key before.
    (ScreenName.DASHBOARD, "reject"): ConfirmScreen,
    (ScreenName.DASHBOARD, "open"): HostScreen,
    (ScreenName.DASHBOARD, "maintenance"): MaintenanceForm,
    (ScreenName.DASHBOARD, "labels"): LabelsForm,
    (ScreenName.DASHBOARD, "remove_host"): ConfirmScreen,
    (ScreenName.HOSTS, "maintenance"): MaintenanceForm,
    (ScreenName.HOSTS, "labels"): LabelsForm,
    (ScreenName.HOSTS, "remove_host"): ConfirmScreen,
    (ScreenName.HOSTS, "open"): HostScreen,
    (ScreenName.HOST, "cancel_task"): HostScreen,  # the selected run has ended there
    (ScreenName.HOST, "reject"): ConfirmScreen,
    (ScreenName.HOST, "maintenance"): MaintenanceForm,
    (ScreenName.HOST, "labels"): LabelsForm,
    (ScreenName.HOST, "remove_host"): ConfirmScreen,
    (ScreenName.HOSTS, "approve"): ConfirmScreen,
    (ScreenName.HOSTS, "reject"): ConfirmScreen,
    (ScreenName.SCHEDULES, "new_template"): NewTaskScreen,  # the schedules have the focus
    (ScreenName.SCHEDULES, "open"): SchedulesScreen,  # the history gets the focus
}
WAY = {
    ScreenName.DASHBOARD: ("home", "down"),
    ScreenName.HOSTS: ("2",),
    ScreenName.TASKS: ("3", "home", "down"),
    ScreenName.MANAGER: ("4",),
    ScreenName.SCHEDULES: ("5",),
    ScreenName.TASK: ("home", "down", "enter"),
    ScreenName.HOST: ("2", "down", "enter"),
}


# Of what the app does, these depend on the screen on which they are pressed. All others are
# pressed on the dashboard only; the other screens have their keys.
DEPEND_ON_SCREEN = ("new_task", "help", "palette")


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "size"),
    [(place, SMALL) for place in ScreenName]
    + [(ScreenName.DASHBOARD, LARGE), (ScreenName.TASK, LARGE)],
)
async def test_every_key_of_every_screen(
    fleet: FakeOperator, running: Running, size: tuple[int, int], place: ScreenName
) -> None:
    small = size == SMALL  # a large screen has the same keys
    async with running(fleet, size) as pilot:
        for action in actions_of(place):
            for key in action.keys if small else action.keys[: not action.of_app]:
                if not _stands_at(pilot, place):
                    await press(pilot, "1", *WAY[place])
                assert _stands_at(pilot, place)
                if action.of_app and place is not ScreenName.DASHBOARD:
                    bound = pilot.app.screen.active_bindings[key]
                    assert bound.binding.action == f"app.{action.id}", (key, action.id)
                    assert bound.enabled, (key, action.id)
                    if action.id not in DEPEND_ON_SCREEN or key != action.keys[0]:
                        continue
                await press(pilot, key)
                opened = OPENS_HERE.get((place, action.id)) or OPENS.get(action.id)
                if opened is not None:
                    assert isinstance(pilot.app.screen, opened), action.id
                if action.id in ("filter", "search") or not isinstance(
                    pilot.app.screen, MainScreen
                ):
                    await press(pilot, "escape")


def _stands_at(pilot: "Pilot[None]", place: ScreenName) -> bool:
    screen = pilot.app.screen
    return isinstance(screen, MainScreen) and screen.SCREEN is place


async def test_every_action_of_a_screen_has_its_method(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        for place in ScreenName:
            await press(pilot, "1", *WAY[place])
            assert _stands_at(pilot, place)
            for action in actions_of(place):
                owner = pilot.app if action.of_app else pilot.app.screen
                assert callable(getattr(owner, f"action_{action.id}", None)), (place, action.id)


def test_no_key_stands_twice_on_a_screen() -> None:
    """Two actions that work in other panes only may have one key, and so may another action where
    none of these panes has the focus."""
    for place in ScreenName:
        for pane in (None, *Pane):
            actions = [a for a in actions_of(place) if not a.pane_only or pane in a.panes]
            own = {key for action in actions if action.pane_only for key in action.keys}
            keys = [
                key
                for action in actions
                for key in action.keys
                if action.pane_only or key not in own
            ]
            assert len(keys) == len(set(keys))


async def test_the_help_lists_every_action(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (120, 90)) as pilot:
        await press(pilot, "question_mark")
        text = shown(pilot)
        for action in ACTIONS:
            assert action.text in text
            assert action.shown in text
        await press(pilot, "slash", *"repeat", "enter")
        assert "Run an ended task again" in shown(pilot)
        assert "Save shown output" not in shown(pilot)
        await press(pilot, "escape")
        assert "Save shown output" in shown(pilot)
        await press(pilot, "question_mark")
        assert isinstance(pilot.app.screen, DashboardScreen)


async def test_a_filter_narrows_and_says_so(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "2", "slash", *"role=db")
        assert "3 of 18" in shown(pilot)
        await press(pilot, "enter")
        assert "/ role=db" in shown(pilot)
        assert "web01" not in shown(pilot)
        await press(pilot, "escape")
        assert "web01" in shown(pilot)
        await press(pilot, "slash", *"zz", "enter")
        assert "None of 18 hosts fits “zz”." in shown(pilot)
        await press(pilot, "escape", "ctrl+z")
        text = shown(pilot)
        assert "problems only" in text
        assert "web04" in text
        assert "web05" not in text


async def test_marked_hosts_become_the_target(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "2", "space", "space", "space", "n")  # the first is not admitted
        assert pilot.app.screen.query_one("#target", Input).value == "db1,db2"
        assert "2 hosts" in shown(pilot)
        await press(pilot, "escape", "escape")
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        assert screen.hosts.marked == []


async def test_s_starts_a_pending_task(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "tab", "down", "s")
        assert fleet.tasks[6].row.status is TaskStatus.RUNNING


async def test_s_on_a_task_that_runs_says_why_not(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "down", "s")
        said = [note.message for note in pilot.app._notifications]
        assert said == ["#5 upgrade packages is running: only a pending task can be started."]


async def test_c_asks_and_a_no_changes_nothing(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "down", "c")
        assert "3 of 14 commands on 14 hosts have not ended." in shown(pilot)
        await press(pilot, "n")
        assert fleet.tasks[5].row.cancel_requested_at is None
        await press(pilot, "c", "enter")
        assert fleet.tasks[5].row.cancel_requested_at is None
        await press(pilot, "c", "y")
        assert fleet.tasks[5].row.cancel_requested_at is not None


async def test_what_is_being_cancelled_looks_unlike_what_was(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "down", "c", "y")
        assert re.search("■   5 upgrade packages .*canceling", shown(pilot))
        await press(pilot, "enter")
        assert "■ web06" in shown(pilot)
        assert "⊘ web04" in shown(pilot)


async def test_marked_tasks_are_cancelled_together(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "space", "space", "c")
        assert "on 17 and 14 hosts" in shown(pilot)  # both tasks may be on the same hosts
        await press(pilot, "y")
        assert [fleet.tasks[n].row.cancel_requested_at is not None for n in (4, 5)] == [True, True]


async def test_above_twenty_hosts_a_start_wants_the_number(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(21):
        fleet.add_host(f"n{number:02}")
    await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    async with running(fleet) as pilot:
        await press(pilot, "s", "y", "enter")
        assert fleet.tasks[1].row.started_at is None
        assert isinstance(pilot.app.screen, ConfirmScreen)
        await press(pilot, *"21", "enter")
        assert fleet.tasks[1].row.status is TaskStatus.RUNNING


async def test_follow_and_wrap(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "down")
        pane = pilot.app.screen.query_one(OutputPane)
        assert pane.follow
        assert pane.scroll_y == pane.max_scroll_y > 0
        await press(pilot, "f")
        assert not pane.follow
        at = pane.scroll_y
        fleet.emit(fleet.execution(5, "web06"), b"more\n" * 5 + b"long " * 30 + b"\n")
        await settle(pilot)
        assert pane.scroll_y == at
        await press(pilot, "f")
        assert pane.scroll_y == pane.max_scroll_y
        assert "more" in shown(pilot)
        rows = pane.virtual_size.height
        await press(pilot, "w")
        assert pane.virtual_size.height > rows


async def test_enter_on_a_host_opens_it(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        for keys in (("tab", "tab"), ("2", "home")):
            await press(pilot, *keys, "down", "down", "down", "enter")
            assert isinstance(pilot.app.screen, HostScreen), keys
            text = shown(pilot)
            assert "● db3   online" in text, keys
            assert "193 GB of 537 GB" in text, keys
            await press(pilot, "1")


async def test_esc_goes_back_to_the_dashboard(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        for key in ("2", "3", "4"):
            await press(pilot, key)
            assert not isinstance(pilot.app.screen, DashboardScreen), key
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, DashboardScreen), key


async def test_the_palette_jumps_to_a_task(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "colon", *"rotate", "enter")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
        assert screen.task_id == 4


async def test_an_empty_fleet_shows_the_line_to_paste(running: Running) -> None:
    async with running(FakeOperator(), (80, 24)) as pilot:
        line = "tui-manager-agent run --manager 127.0.0.1:7443 --insecure --name NAME"
        assert line in shown(pilot)


async def test_a_host_that_is_gone_to_is_seen_at_once(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(200):
        fleet.add_host(f"n{number:03}")
    async with running(fleet, SMALL) as pilot:
        await press(pilot, "colon", *"n150", "enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, HostScreen)
        assert "● n150   online" in shown(pilot)
