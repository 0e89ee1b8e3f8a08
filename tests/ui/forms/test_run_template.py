"""The form of a template: fields by type, their errors, and the task that it makes."""

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, Label, OptionList, Select

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import NoAnswerError, UnreachableError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.form import TickBox
from tui_manager.ui.forms.schedules.parameter_field import ParameterField
from tui_manager.ui.forms.schedules.run_template import RunTemplateScreen
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen
from tui_manager.ui.schedules.template_table import TemplateTable
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SIZES = [(80, 24), (120, 36), (200, 50)]
HOSTILE = """\
target = "db1"

[params.A]
type = "choice"
choices = ["[b]x[/b]", "[green]", "[/red]"]
help = "[red]no markup[/red]\\u001b[31m"

[params.B]
type = "boolean"
required = false

[params.KEY]
type = "secret"

[[steps]]
run = "true"
"""


def form(pilot: "Pilot[None]") -> RunTemplateScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunTemplateScreen), screen
    return screen


async def go_to_templates(pilot: "Pilot[None]") -> None:
    await press(pilot, "5")
    pilot.app.screen.query_one(TemplateTable).focus()
    await settle(pilot)


async def open_restart(pilot: "Pilot[None]") -> None:
    await go_to_templates(pilot)
    await press(pilot, "down", "enter")


def field(pilot: "Pilot[None]", name: str) -> ParameterField:
    return next(one for one in form(pilot).query(ParameterField) if one.parameter.name == name)


def hint(pilot: "Pilot[None]", name: str) -> str:
    return str(field(pilot, name).query_one(".hint", Label).content)


def lines_of(pilot: "Pilot[None]", widget: Widget) -> list[str]:
    """What the screen shows of a widget, without its frame and lines that are empty."""
    x, y, width, height = widget.region
    lines = shown(pilot).split("\n")[y : y + height]
    texts = (line[x : x + width].strip(" │╭╮╰╯─") for line in lines)
    return [text for text in texts if text]


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_field_that_needs_a_value_has_the_focus(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await open_restart(pilot)
        assert "Run restart@2" in shown(pilot)
        assert "3 steps: drain, restart, undrain" in shown(pilot)
        assert "14 hosts, 1 offline" in shown(pilot)
        assert "Start on 14 hosts" in shown(pilot)
        assert pilot.app.focused is field(pilot, "TICKET").field
        await press(pilot, *"OPS-1", "f5")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
        assert "template restart@2" in shown(pilot)
    task = fleet.tasks[screen.task_id]
    assert task.row.status is TaskStatus.RUNNING
    assert task.row.template == TemplateVersion("restart", 2)
    assert task.spec.commands[1].parameters == {
        "SERVICE": "nginx", "WAIT": "5", "FORCE": "false", "TICKET": "OPS-1",
    }  # fmt: skip
    assert task.spec.rollout.batches == "1,rest"


async def test_what_is_wrong_stands_below_its_field(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        before = len(fleet.tasks)
        await open_restart(pilot)
        assert hint(pilot, "TICKET") == "the ticket, like OPS-12"
        await press(pilot, "f5")
        assert hint(pilot, "TICKET") == "A value is needed."
        await press(pilot, *"ops")
        assert hint(pilot, "TICKET") == (
            "TICKET cannot be 'ops': give a value that matches OPS-[0-9]+."
        )
        field(pilot, "WAIT").field.focus()
        await press(pilot, "x")
        assert hint(pilot, "WAIT").startswith("WAIT cannot be 'x': give a whole number")
        await press(pilot, "backspace", "7")
        assert hint(pilot, "WAIT") == "integer: seconds until the check"
        await press(pilot, "f5")
        assert pilot.app.focused is field(pilot, "TICKET").field
        assert len(fleet.tasks) == before


async def test_a_choice_is_chosen_and_a_boolean_ticked(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await open_restart(pilot)
        await press(pilot, *"OPS-2")
        choice = field(pilot, "SERVICE").field
        choice.focus()
        await press(pilot, "enter", "down", "enter")
        assert isinstance(choice, Select)
        assert choice.value == "haproxy"
        await press(pilot, "enter", "escape")
        assert isinstance(form(pilot), RunTemplateScreen), "escape closed the list only"
        field(pilot, "FORCE").field.focus()
        await press(pilot, "space")
        field(pilot, "NOTE").field.focus()
        await press(pilot, *"a b", "f5")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
    assert fleet.tasks[screen.task_id].spec.commands[0].parameters == {
        "SERVICE": "haproxy", "WAIT": "5", "FORCE": "true", "NOTE": "a b", "TICKET": "OPS-2",
    }  # fmt: skip


async def test_secrets_are_hidden_and_texts_are_no_markup(
    fleet: FakeOperator, running: Running
) -> None:
    await fleet.save_template("zz", HOSTILE)
    async with running(fleet) as pilot:
        await go_to_templates(pilot)
        await press(pilot, "end", "r")
        assert "[red]no markup[/red]" in shown(pilot)
        assert "\x1b" not in shown(pilot)
        await press(pilot, "enter")
        assert lines_of(pilot, field(pilot, "A").query_one(OptionList)) == [
            "choose", "[b]x[/b]", "[green]", "[/red]",
        ]  # fmt: skip
        await press(pilot, *"red", "enter")  # what is typed finds a choice
        assert field(pilot, "A").given == "[/red]"
        assert any("[/red]" in line for line in lines_of(pilot, field(pilot, "A").field))
        field(pilot, "KEY").field.focus()
        await press(pilot, *"hunter2")
        assert "hunter2" not in shown(pilot)
        await press(pilot, "f5")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
    (step,) = fleet.tasks[screen.task_id].spec.commands
    assert step.secrets == {"KEY": "hunter2"}
    assert set(step.parameters) == {"A"}, "B is optional, and was not given"


async def test_the_target_can_be_another_one_and_the_task_only_saved(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await open_restart(pilot)
        await press(pilot, *"OPS-3")
        form(pilot).query_one("#target", Input).value = "db*"
        await settle(pilot)
        assert "Start on 3 hosts" in shown(pilot)
        await press(pilot, "tab", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
    assert fleet.tasks[screen.task_id].row.status is TaskStatus.PENDING
    assert fleet.tasks[screen.task_id].spec.target == "db*"


async def test_a_template_that_is_deleted_meanwhile(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await open_restart(pilot)
        await press(pilot, *"OPS-4")
        await fleet.delete_template("restart")
        await press(pilot, "f5")
        (said,) = pilot.app._notifications
        assert said.message == "There is no template restart@2."
        typed = field(pilot, "TICKET").field
        assert isinstance(typed, Input)
        assert typed.value == "OPS-4"


async def test_nothing_typed_is_lost_while_the_manager_is_away(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_task, answered = fleet.create_task, False

    async def late(spec: TaskSpec, request_id: str = "") -> int:
        made = await create_task(spec, request_id)
        if not answered:
            raise NoAnswerError("The manager has not answered for 10 s.")
        return made

    before = len(fleet.tasks)
    async with running(fleet) as pilot:
        await open_restart(pilot)
        await press(pilot, *"OPS-5")
        fleet.failure = UnreachableError("No manager answers.")
        await press(pilot, "f5")
        assert field(pilot, "TICKET").given == "OPS-5"
        fleet.failure = None
        monkeypatch.setattr(fleet, "create_task", late)
        await press(pilot, "f5")
        assert field(pilot, "TICKET").given == "OPS-5"
        answered = True
        await press(pilot, "f5")
        assert isinstance(pilot.app.screen, TaskScreen)
    assert len(fleet.tasks) == before + 1, "the tries made one task"


async def test_leaving_asks_if_something_was_typed(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await open_restart(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, SchedulesScreen)
        await press(pilot, "enter")
        field(pilot, "FORCE").field.focus()
        await press(pilot, "space", "escape")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        await press(pilot, "y")
        assert isinstance(pilot.app.screen, SchedulesScreen)


async def test_each_kind_of_parameter_has_its_field(running: Running) -> None:
    fleet = FakeOperator()
    cases = [
        (Parameter("A"), Input, None),
        (Parameter("A", default=""), Input, ""),
        (Parameter("A", ParameterType.BOOLEAN), TickBox, "false"),
        (Parameter("A", ParameterType.BOOLEAN, default="true"), TickBox, "true"),
        (Parameter("A", ParameterType.BOOLEAN, required=False), Select, None),
        (Parameter("A", ParameterType.CHOICE, choices=("x", "y")), Select, None),
        (Parameter("A", ParameterType.CHOICE, default="y", choices=("x", "y")), Select, "y"),
    ]
    async with running(fleet) as pilot:
        for parameter, kind, given in cases:
            made = ParameterField(parameter)
            await pilot.app.screen.mount(made)
            assert isinstance(made.field, kind)
            assert made.given == given
            assert made.lacks_value == (given is None and parameter.required)
