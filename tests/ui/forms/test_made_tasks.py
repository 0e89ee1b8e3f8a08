"""A task that a form makes: what the form does meanwhile, and what is selected then."""

import asyncio

import pytest
from textual.widgets import Button, Input, TextArea
from textual.widgets._toast import Toast

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen

# Keys that filter, and the text that the filter has after a task `uptime` was made.
FILTERS = (
    (("slash", *"zzz", "enter"), ""),
    (("exclamation_mark",), ""),
    (("slash", *"uptime", "enter"), "uptime"),
)


async def test_a_filter_that_hides_the_new_task_is_cleared(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        for task_id, (keys, left) in enumerate(FILTERS, 7):
            await press(pilot, "3", *keys, "n")
            form = pilot.app.screen
            form.query_one("#target", Input).value = "db1"
            form.query_one(TextArea).text = "uptime"
            await press(pilot, "f5")
            await settle(pilot)
            screen = pilot.app.screen
            assert isinstance(screen, TasksScreen), keys
            assert screen.tasks.selected is not None, keys
            assert screen.tasks.selected.task_id == task_id, keys
            filtered = (screen.tasks.window.text, screen.tasks.window.faults_only)
            assert filtered == (left, False), keys


async def test_fields_take_no_keys_while_the_task_is_made(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, create_task = asyncio.Event(), fleet.create_task

    async def late(spec: TaskSpec, request_id: str = "") -> int:
        await goes_on.wait()
        if spec.name == "wrong":
            raise StorageError("The disk is full.")
        return await create_task(spec, request_id)

    monkeypatch.setattr(fleet, "create_task", late)
    async with running(fleet) as pilot:
        await press(pilot, "n", *"db1", "tab", *"uptime", "tab", *"wrong", "f5", *"xyz")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert str(form.query_one("#start", Button).label) == "Starting…"
        goes_on.set()
        await settle(pilot)
        assert "The disk is full." in shown(pilot)
        assert str(form.query_one("#start", Button).label) == "Start on 1 host  f5"
        await press(pilot, *"12")
        assert form.query_one("#name", Input).value == "wrong12"
        assert form.query_one("#target", Input).value == "db1"


async def test_notices_do_not_cover_the_buttons_of_a_form(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n")
        form = pilot.app.screen
        for text in ("The disk is full.", "The manager is away. " * 5):
            form.notify(text, markup=False)
        await settle(pilot)
        toasts = [toast.region for toast in form.query(Toast)]
        buttons = [button.region for button in form.query(Button)]
        assert len(toasts) == 2
        assert not any(one.overlaps(other) for one in toasts for other in buttons)
