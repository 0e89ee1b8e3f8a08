"""The name under which the text of a task file is saved as a template."""

from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.forms.tasks.task_file_form import TaskFileScreen, TemplateNameScreen


async def test_the_name_of_the_task_is_proposed_and_an_empty_one_is_refused(
    fleet: FakeOperator, running: Running
) -> None:
    two = (CommandSpec("true"), CommandSpec("false"))
    await fleet.create_task(TaskSpec("@all", two, "restart all nginx!"))
    async with running(fleet) as pilot:
        await press(pilot, "3", "e", "ctrl+s")
        await settle(pilot)
        form = pilot.app.screen
        assert isinstance(form, TemplateNameScreen)
        field = form.query_one("#template-name", Input)
        assert field.value == "restart-all-nginx"
        field.value = ""
        await press(pilot, "enter")
        assert "The name is missing" in shown(pilot)
        field.value = "restart"
        await press(pilot, "enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TaskFileScreen)
    assert await fleet.get_template("restart", 1)
