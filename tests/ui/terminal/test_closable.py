"""Screens that are closed before, while and after the manager answers them."""

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets.collapsible import CollapsibleTitle

import tui_manager.ui
from tests.support.fake_operator.fake_operator import EVERYTHING, FakeOperator
from tests.support.fake_operator.held_operator import HeldOperator
from tests.support.run_length import examples
from tests.ui.conftest import Running, press, settle
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task_plan import make_plan
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen, Question
from tui_manager.ui.forms.hosts.join_token import JoinTokenScreen
from tui_manager.ui.forms.kind_field import KindField
from tui_manager.ui.forms.new_task.history_screen import HistoryScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.tasks.plan_screen import PlanScreen
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.frame.palette import ManagerPalette
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.manager.manager_screen import ManagerScreen
from tui_manager.ui.manager_link import Link, ManagerChanged
from tui_manager.ui.output.actions.save_output import SaveOutputScreen
from tui_manager.ui.output.output_pane import Source
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen
from tui_manager.ui.terminal.closable import ClosableScreen, while_open

STEPS = (0, 1, 2, 3, 5, 8, 13, 21)  # turns of the loop after which a screen is closed
# The same from closing to the answer. A screen has no more to do then; `make test-all` tries more.
ANSWER_STEPS = (0, 2, 8, 1, 3, 5, 13, 21)[: examples(8, few=3)]
QUESTION = Question("Go on?", ("It is a question.",), "Go on", 30)
UPTIME = TaskSpec("db1", (CommandSpec("uptime"),))


class AnotherDashboard(DashboardScreen):
    """The app does not open one screen above itself."""


SCREENS: dict[str, Callable[[Link], Screen[Any]]] = {
    "dashboard": AnotherDashboard,
    "hosts": HostsScreen,
    "tasks": TasksScreen,
    "manager": ManagerScreen,
    "task": lambda link: TaskScreen(link, 5),
    "host": lambda link: HostScreen(link, "web01"),
    "schedules": SchedulesScreen,
    "new task": lambda link: NewTaskScreen(link, "role=web"),
    "earlier commands": HistoryScreen,
    "plan": lambda link: PlanScreen(UPTIME, make_plan(ALL_AT_ONCE, ["db1"], offline=())),
    "join token": JoinTokenScreen,
    "save output": lambda link: SaveOutputScreen(link, Source(5, title="all hosts")),
    "confirm": lambda link: ConfirmScreen(QUESTION),
    "help": lambda link: HelpScreen(),
    "palette": lambda link: ManagerPalette(),
}


def app_of(pilot: "Pilot[None]") -> DashboardApp:
    app = pilot.app
    assert isinstance(app, DashboardApp)
    return app


async def turn(times: int) -> None:
    """Lets the loop go round."""
    for _ in range(times):
        await asyncio.sleep(0)


async def is_well(pilot: "Pilot[None]", case: str) -> None:
    """All screens are closed but the first one, without an error."""
    await settle(pilot)
    assert app_of(pilot)._exception is None, case
    assert isinstance(pilot.app.screen, DashboardScreen), case


async def test_a_screen_is_closed_while_it_is_built(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        for name, made in SCREENS.items():
            for steps in STEPS:
                screen = made(app.link)
                app.push_screen(screen)
                screen.post_message(ManagerChanged(EVERYTHING))
                await turn(steps)
                app.pop_screen()
                screen.post_message(ManagerChanged(EVERYTHING))
            await is_well(pilot, name)


async def test_a_screen_that_was_closed_after_its_size_was_known_focuses_nothing(
    fleet: FakeOperator, running: Running
) -> None:
    """It is told its size before it is closed, and told to focus its table after that."""
    async with running(fleet) as pilot:
        app = app_of(pilot)
        screen = AnotherDashboard(app.link)
        await app.push_screen(screen)
        await app.pop_screen()
        screen._focus_again()
        assert screen.focused is None


async def test_a_screen_is_closed_while_it_is_answered(
    fleet: FakeOperator, running: Running
) -> None:
    held = HeldOperator(fleet)
    async with running(held) as pilot:
        app = app_of(pilot)
        for name, made in SCREENS.items():
            for steps in ANSWER_STEPS:
                held.hold()
                screen = made(app.link)
                await app.push_screen(screen)
                screen.post_message(ManagerChanged(EVERYTHING))
                await turn(3)
                app.pop_screen()
                await turn(steps)
                held.release()
            await is_well(pilot, name)


async def test_a_form_is_closed_while_it_gets_fields(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        for steps in STEPS:
            form = NewTaskScreen(app.link)
            await app.push_screen(form)
            for title in form.query(CollapsibleTitle):
                title.action_toggle_collapsible()
            form.query_one(KindField).action_step(1)
            await turn(steps)
            app.pop_screen()
            await is_well(pilot, f"{steps} turns")


async def test_a_screen_is_closed_while_its_lines_get_fields(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        for steps in STEPS:
            screen = AnotherDashboard(app.link)
            await app.push_screen(screen)
            await settle(pilot)
            async with asyncio.TaskGroup() as opening:
                for _ in range(2):  # in the same moment
                    opening.create_task(screen.action_filter())
                    opening.create_task(screen.action_search())
                await turn(steps)
                app.pop_screen()
            await is_well(pilot, f"{steps} turns")


async def test_answers_that_come_late_are_shown(fleet: FakeOperator, running: Running) -> None:
    held = HeldOperator(fleet)
    async with running(held) as pilot:
        await press(pilot, "down")
        held.hold()
        await press(pilot, "enter")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
        assert "get_task" in held.asked
        assert screen.detail is None
        held.release()
        await settle(pilot)
        assert screen.detail is not None
        assert screen.rows.selected is not None


async def test_a_key_for_a_screen_that_is_being_built_does_nothing(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        for key in ("tab", "escape", "f", "w", "o", "equals_sign", "d", "slash", "ctrl+s", "n"):
            screen = TaskScreen(app.link, 5)
            app.push_screen(screen)
            await app._check_bindings(key, priority=key == "tab")
            assert app.screen is screen
            app.pop_screen()
            await settle(pilot, 1)


async def test_a_form_makes_a_task_though_the_screen_below_is_closed(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        for name, made in SCREENS.items():
            screen = made(app.link)
            if isinstance(screen, MainScreen):
                await app.push_screen(screen)
                await settle(pilot)
                await app.pop_screen()
                screen.task_created(5)
                await is_well(pilot, name)


async def test_a_form_adds_a_schedule_though_the_screen_below_is_closed(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        screen = SchedulesScreen(app.link)
        await app.push_screen(screen)
        await settle(pilot)
        await app.pop_screen()
        screen._schedule_added("nightly")
        await is_well(pilot, "schedules")


class ReadsEarly(ClosableScreen[None]):
    """Begins to read before it is mounted."""

    read = False

    async def on_mount(self) -> None:
        """Something else comes after the read."""
        self.begin()
        await turn(8)

    @while_open("read")
    async def begin(self) -> None:
        """Reads."""
        self.read = True


async def test_a_read_that_a_screen_begins_while_it_is_mounted_is_not_cancelled(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        screen = ReadsEarly()
        await pilot.app.push_screen(screen)
        await settle(pilot)
        assert screen.read


async def test_what_was_confirmed_is_done_though_the_screen_is_closed(
    fleet: FakeOperator, running: Running
) -> None:
    held = HeldOperator(fleet)
    async with running(held) as pilot:
        await press(pilot, "enter", "c")
        held.hold()
        await press(pilot, "y", "escape")
        assert isinstance(pilot.app.screen, DashboardScreen)
        assert "cancel_task" in held.asked
        held.release()
        await settle(pilot)
        assert any("cancel_task" in call for call in fleet.calls)


async def test_a_closed_screen_closes_no_other(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        app = app_of(pilot)
        task, question = TaskScreen(app.link, 5), ConfirmScreen(QUESTION)
        await app.push_screen(task)
        await app.push_screen(question)
        question.dismiss(False)
        question.dismiss(False)
        await settle(pilot)
        assert app.screen is task


def test_every_read_of_a_screen_ends_with_it() -> None:
    """`work` goes on when its screen has lost its widgets; only the app outlives them all."""
    folder = Path(tui_manager.ui.__file__).parent
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "work"
    }
    assert found == {"app.py", "frame/app_notices_and_themes.py", "terminal/closable.py"}
