"""`e` on a task: a copy of it in the form that fits, and the form of a task file."""

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.task_files.task_file import fill, read_task_file
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.schedules.run_template import ParameterForm
from tui_manager.ui.forms.tasks import task_file_form
from tui_manager.ui.forms.tasks.task_file_area import TaskFileArea
from tui_manager.ui.forms.tasks.task_file_form import TaskFileScreen, TemplateNameScreen

TEMPLATE = """\
target = "@all"

[params.SERVICE]
type = "choice"
choices = ["nginx", "mysql"]

[params.KEY]
type = "secret"

[[steps]]
run = "restart $SERVICE"
"""
STEPS = TaskSpec(
    "h1", (CommandSpec("drain\nwait"), CommandSpec("restart", always=True)), "rolling restart"
)


async def fleet_with(spec: TaskSpec) -> FakeOperator:
    """Task 1 was made from it."""
    fleet = FakeOperator()
    for name in ("h1", "h2"):
        fleet.add_host(name)
    await fleet.save_template("restart", TEMPLATE)
    await fleet.create_task(spec)
    return fleet


def top(pilot: "Pilot[None]", kind: type[Screen[Any]]) -> Screen[Any]:
    screen = pilot.app.screen
    assert isinstance(screen, kind), screen
    return screen


def area(pilot: "Pilot[None]") -> TaskFileArea:
    return pilot.app.screen.query_one(TaskFileArea)


def hint(pilot: "Pilot[None]") -> str:
    return str(pilot.app.screen.query_one("#file-hint", Label).content)


async def test_a_task_of_one_command_is_edited_in_the_form_for_a_new_task(
    running: Running,
) -> None:
    given = TaskSpec("h1", (CommandSpec("uptime -p", cwd="/tmp", parameters={"A": "b c"}),), "up")
    fleet = await fleet_with(given)
    async with running(fleet) as pilot:
        await press(pilot, "e")
        top(pilot, NewTaskScreen)
        await press(pilot, "f5")
        await settle(pilot)
        dashboard = top(pilot, DashboardScreen)
        assert isinstance(dashboard, DashboardScreen)
        assert dashboard.now.list.key == "2"
    assert fleet.tasks[2].spec == given


async def test_a_task_of_a_template_has_the_values_of_its_parameters(running: Running) -> None:
    task_file = read_task_file(TEMPLATE, "restart")
    spec = fill(task_file, {"SERVICE": "mysql"}, {"KEY": "old"})
    version = TemplateVersion("restart", 1)
    fleet = await fleet_with(TaskSpec("h2", spec.commands, template=version))
    async with running(fleet) as pilot:
        await press(pilot, "e")
        form = top(pilot, ParameterForm)
        assert "Run restart@1" in shown(pilot)
        assert "mysql" in shown(pilot)
        secret = form.query("Input").last(Input)
        assert (secret.password, secret.value) == (True, "")
        assert secret.has_focus
        await press(pilot, *"new", "f5")
        await settle(pilot)
    made = fleet.tasks[2].spec
    assert (made.target, made.template) == ("h2", version)
    (command,) = made.commands
    assert (command.parameters, command.secrets) == ({"SERVICE": "mysql"}, {"KEY": "new"})


async def test_of_a_template_that_is_deleted_the_text_is_edited(running: Running) -> None:
    task_file = read_task_file(TEMPLATE, "restart")
    spec = fill(task_file, {"SERVICE": "mysql"}, {"KEY": "old"})
    fleet = await fleet_with(
        TaskSpec("h2", (*spec.commands, CommandSpec("x")), template=TemplateVersion("restart", 1))
    )
    await fleet.delete_template("restart")
    async with running(fleet) as pilot:
        await press(pilot, "e")
        top(pilot, TaskFileScreen)
        assert "old" not in area(pilot).text


async def test_a_task_of_steps_is_edited_as_a_task_file(running: Running) -> None:
    fleet = await fleet_with(STEPS)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "e")
        top(pilot, TaskFileScreen)
        assert hint(pilot) == "2 steps: drain␊wait, restart"
        assert area(pilot).get_line(0).spans, "keys and texts have colours"
        assert "1 host   h1" in shown(pilot)
        assert "Start on 1 host  f5" in shown(pilot)
        whole = area(pilot).text
        area(pilot).text = f"nam{whole[4:]}"
        await settle(pilot)
        assert hint(pilot).startswith("Line 1: nam: a task file has no such key; did you mean name")
        area(pilot).move_cursor(area(pilot).document.end)
        await press(pilot, "f5")
        assert list(fleet.tasks) == [1], "it is not right"
        assert area(pilot).cursor_location == (0, 0)
        area(pilot).text = whole.replace('"h1"', '"h2"')
        await settle(pilot)
        await press(pilot, "f5")
        await settle(pilot)
        top(pilot, DashboardScreen)
    made = fleet.tasks[2].spec
    assert (made.target, made.commands, made.name) == ("h2", STEPS.commands, STEPS.name)
    assert fleet.tasks[2].row.started_at


async def test_what_is_typed_is_not_lost_and_can_be_saved_as_a_template(running: Running) -> None:
    fleet = await fleet_with(STEPS)
    async with running(fleet) as pilot:
        await press(pilot, "e", *"# why", "enter")
        await press(pilot, "escape")
        top(pilot, ConfirmScreen)
        await press(pilot, "n", "ctrl+s")
        top(pilot, TemplateNameScreen)
        await press(pilot, *"rolling", "enter")
        await settle(pilot)
        assert "Saved as template rolling@1." in shown(pilot)
        await press(pilot, "escape")
        top(pilot, DashboardScreen)
    assert (await fleet.get_template("rolling")).text.startswith("# why\nname")


async def test_parameters_are_asked_for_and_lead_back_to_the_text(running: Running) -> None:
    fleet = await fleet_with(STEPS)
    async with running(fleet) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        opened = app.run_worker(task_file_form.open_task_file_form(app, app.link, TEMPLATE))
        await settle(pilot)
        assert "2 parameters" in hint(pilot)
        await press(pilot, "f5")
        top(pilot, ParameterForm)
        assert "ctrl+t" not in shown(pilot), "the text lies below"
        await press(pilot, "escape")
        top(pilot, TaskFileScreen)
        await press(pilot, "escape")
        await settle(pilot)
        assert opened.result is None
        form = ParameterForm(app.link, "Run", read_task_file(TEMPLATE, "restart"))
        await app.push_screen(form)
        await settle(pilot)
        form.query_one("#target", Input).value = "h2"
        await settle(pilot)
        await press(pilot, "ctrl+t")
        await settle(pilot)
        assert 'target = "h2"' in area(pilot).text


@pytest.mark.parametrize(
    "command", ["a\rb\nc", "a\u2028\x85\x0c", "'\x1b]0;t\x07\u202e\"", "a\r\n'"]
)
async def test_a_command_that_the_form_would_change_is_edited_as_a_task_file(
    running: Running, command: str
) -> None:
    given = TaskSpec("h1", (CommandSpec(command, environment={"A": command}),), "odd")
    fleet = await fleet_with(given)
    async with running(fleet) as pilot:
        await press(pilot, "e")
        await settle(pilot)
        top(pilot, TaskFileScreen)
        assert all(line.isprintable() for line in area(pilot).text.split("\n"))
        await press(pilot, "f5")
        await settle(pilot)
        top(pilot, DashboardScreen)
    assert fleet.tasks[2].spec.commands == given.commands


async def test_a_task_file_that_the_field_would_change_is_not_edited(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        opened = app.run_worker(task_file_form.open_task_file_form(app, app.link, "# a\u2028b\n"))
        await settle(pilot)
        assert opened.result is None
        (said,) = app._notifications
        assert said.message.startswith("This task file has a line end other than a line feed")


async def test_a_text_that_is_too_long_is_not_edited(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_file_form, "LENGTH_MAX", 20)
    fleet = await fleet_with(STEPS)
    async with running(fleet) as pilot:
        await press(pilot, "e")
        top(pilot, DashboardScreen)
        (said,) = pilot.app._notifications
        assert said.message.startswith("A task file of ")


PLAIN_FILE = """\
target = "@all"

[params.PORT]
type = "integer"
pattern = "[0-9]{2,5}"
help = "where it listens"

[[steps]]
run = "restart $PORT"
"""


async def test_a_task_of_a_task_file_keeps_what_that_says_of_its_parameters(
    running: Running,
) -> None:
    spec = fill(read_task_file(PLAIN_FILE, "restart"), {"PORT": "80"}, {})
    fleet = await fleet_with(spec)
    async with running(fleet) as pilot:
        await press(pilot, "e")
        form = top(pilot, ParameterForm)
        assert "Edit a copy" in shown(pilot)
        assert "integer: where it listens" in shown(pilot)
        field = form.query("Input").last(Input)
        assert field.value == "80"
        pilot.app.screen.set_focus(field)
        await press(pilot, "end", "x")
        assert "PORT cannot be '80x'" in shown(pilot)
        await press(pilot, "backspace", "8", "ctrl+t")
        text = area(pilot).text
        assert 'pattern = "[0-9]{2,5}"' in text
        assert 'help = "where it listens"' in text
        assert "default = 808" in text
        await press(pilot, "escape", "f5")
        await settle(pilot)
    made = fleet.tasks[2].spec
    assert made.commands[0].parameters == {"PORT": "808"}
    assert made.parameters == spec.parameters
