"""Fields of the form for a new task that get their widgets when they are shown first."""

from dataclasses import fields, replace
from datetime import timedelta

from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input
from textual.widgets.collapsible import CollapsibleTitle

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.fake_operator.held_operator import HeldOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.field_rows import Fold
from tui_manager.ui.forms.files.copy_and_fetch_fields import TaskKind
from tui_manager.ui.forms.kind_field import KindField
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.new_task.new_task_fields import FormFields
from tui_manager.ui.forms.new_task.task_in_form import fields_of

FULL = TaskSpec(
    "web01",
    (
        CommandSpec(
            "id",
            parameters={"A": "b c"},
            environment={"E": "1"},
            cwd="/srv",
            run_as_user="deploy",
            secrets={"KEY": "", "TOKEN": ""},
            limits=ResourceLimits(memory_max=512 * 1024**2),
        ),
    ),
    description="why it runs",
    rollout=RolloutSpec(
        "1,rest", Order.RANDOM, timedelta(minutes=5), "50%", "1", True, HoldRule.EACH
    ),
)


def form_of(pilot: "Pilot[None]") -> NewTaskScreen:
    screen = pilot.app.screen
    assert isinstance(screen, NewTaskScreen), screen
    return screen


def typed(form: NewTaskScreen) -> FormFields:
    """Without what is read from elsewhere."""
    return replace(form.fields, contents={}, transfer=replace(form.fields.transfer, found=None))


async def open_copy(pilot: "Pilot[None]", spec: TaskSpec) -> NewTaskScreen:
    assert isinstance(pilot.app, DashboardApp)
    form = NewTaskScreen(pilot.app.link, spec=spec)
    await pilot.app.push_screen(form)
    await settle(pilot)
    return form


async def test_a_copy_has_its_values_before_and_after_its_folds_are_opened(
    fleet: FakeOperator, running: Running
) -> None:
    expected = replace(fields_of(FULL), secret_values={"KEY": "", "TOKEN": ""})
    defaults = FormFields()
    left = {one.name for one in fields(FormFields)} - {"name", "timeout", "waits", "within"}
    left -= {"include_maintenance", "stdin", "script", "arguments", "contents", "kind", "transfer"}
    same = {name for name in left if getattr(expected, name) == getattr(defaults, name)}
    assert same == {"tasks_max", "cpu_max"}, "the copy has a value in the other fields"
    async with running(fleet, (120, 36)) as pilot:
        form = await open_copy(pilot, FULL)
        assert typed(form) == expected
        line = str(form.fields.command_line())
        assert not form.query("#user, #memory_max, #batches, #files, #paths")
        for fold in form.query(Fold):
            fold.query_one(CollapsibleTitle).action_toggle_collapsible()
            await settle(pilot)
            assert not fold.collapsed
            assert typed(form) == expected, fold.id
        assert form.query_one("#user", Input).value == "deploy"
        assert [row.query_one(Input).id for row in form.query(".secret")] == [
            "secret-0",
            "secret-1",
        ]
        assert form.fields.command_line() == line
        assert not form.is_changed
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, DashboardScreen), "nothing was typed"


async def test_what_is_typed_in_a_fold_stays_when_it_is_closed_and_is_asked_about(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"id", *["tab"] * 6, "enter", "tab", *"deploy")
        await press(pilot, *["tab"] * 4, *"KEY TOKEN", "tab", *"one", "tab", *"two")
        form = form_of(pilot)
        assert form.fields.secret_values == {"KEY": "one", "TOKEN": "two"}
        assert "TOKEN               •••" in shown(pilot), "it is not hidden behind the buttons"
        behind = ("#input CollapsibleTitle", "#rollout CollapsibleTitle", "#save", "#start")
        for widget in behind:  # also where these fields lie lower than the buttons
            await press(pilot, "tab")
            assert form.focused is form.query_one(widget), widget
        for widget in (*reversed(behind[:-1]), "#secret-1"):
            await press(pilot, "shift+tab")
            assert form.focused is form.query_one(widget), widget
        form.query_one("#secret", Input).value = "TOKEN"
        await settle(pilot)
        assert form.fields.secret_values == {"TOKEN": "two"}, "a value stays with its name"
        assert [row.display for row in form.query(".secret")] == [True, False]
        form.query_one("#process CollapsibleTitle").focus()
        await press(pilot, "enter")
        assert "▸ As deploy, 1 secret" in shown(pilot)
        assert (form.fields.user, form.fields.secret_values) == ("deploy", {"TOKEN": "two"})
        assert "--user deploy" in shown(pilot)
        await press(pilot, "escape", "n")
        assert form_of(pilot) is form
        form.query_one("#process CollapsibleTitle").focus()
        await press(pilot, "enter", "tab")
        assert form.focused is form.query_one("#user")


async def test_keys_that_come_at_once_go_to_the_fields_that_they_open(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        to_fold = ("n", *"db1", "tab", *"id", *["tab"] * 6)
        for key in (
            *to_fold,
            "enter",
            "tab",
            *"deploy",
            "f2",
            *"a.conf",
            "f2",
            *"/etc/hosts",
            "f2",
        ):
            pilot.app.post_message(Key(key, key if len(key) == 1 else None))
        await settle(pilot, 12)
        form = form_of(pilot)
        assert (form.fields.user, form.fields.command) == ("deploy", "id")
        transfer = form.fields.transfer
        assert (transfer.files, transfer.paths) == ("a.conf", "/etc/hosts")


async def test_a_tab_at_once_after_another_kind_goes_to_its_second_field(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        for key in ("n", "f2", "tab", *"/srv", "f2", "tab", "tab", *"saved"):
            pilot.app.post_message(Key(key, key if len(key) == 1 else None))
        await settle(pilot, 12)
        transfer = form_of(pilot).fields.transfer
        assert (transfer.files, transfer.to) == ("", "/srv")
        assert (transfer.paths, transfer.folder) == ("", "saved")


async def test_an_error_in_a_fold_that_is_being_opened_has_the_focus(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (120, 36)) as pilot:
        form = await open_copy(pilot, FULL)
        title = form.query_one("#process CollapsibleTitle", CollapsibleTitle)
        title.action_toggle_collapsible()
        form.action_start()
        await settle(pilot)
        assert form.focused is form.query_one("#secret-0")
        await press(pilot, *"one", "f5")
        assert form.focused is form.query_one("#secret-1")
        assert "The secret TOKEN is empty" in shown(pilot)
        await press(pilot, *"two", "f5")
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert fleet.tasks[7].spec.commands[0].secrets == {"KEY": "one", "TOKEN": "two"}


async def test_a_form_that_is_closed_has_no_focus_and_shows_no_field(
    fleet: FakeOperator, running: Running
) -> None:
    """Textual may ask when a field that had the focus is gone."""
    async with running(fleet, (80, 24)) as pilot:
        form = await open_copy(pilot, FULL)
        field = form.query_one("#target")
        assert field in form.focus_chain
        assert form.can_view_entire(field)
        await press(pilot, "escape")
        assert form.focus_chain == []
        assert not form.can_view_entire(field)


async def test_what_is_typed_in_a_fold_is_its_title_as_it_is(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (120, 36)) as pilot:
        await press(pilot, "n")
        form = form_of(pilot)
        fold = form.query_one("#input", Fold)
        await fold.open_at("memory_max")
        for text in ("[/", "[/b]", "\\[", "a\\", "[red]"):
            await press(pilot, "ctrl+u", *text)
            assert form.fields.memory_max == text
            assert f"Memory {text}" in shown(pilot)


async def test_the_kind_stays_while_the_task_is_made(fleet: FakeOperator, running: Running) -> None:
    held = HeldOperator(fleet)
    async with running(held) as pilot:
        await press(pilot, "n", *"db1", "tab", *"id")
        held.hold()
        await press(pilot, "f5", "f2")
        assert form_of(pilot).kind is TaskKind.COMMAND
        held.release()
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)


async def test_an_error_in_a_field_that_is_being_made_has_the_focus(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "n")
        form = form_of(pilot)
        form.query_one(KindField).action_step(-1)
        form.complain(InvalidInputError("paths", "Name the files."))
        await settle(pilot)
        assert form.focused is form.query_one("#paths")
        form.complain(InvalidInputError("files", "It is a field of another kind."))
        await settle(pilot)
        assert form.focused is form.query_one("#paths")
