"""The form: what it says while it is typed in, and what it makes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import A_DAY, Running, press, settle, shown
from tui_manager.domain.errors import InvalidInputError, NoAnswerError, StorageError
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.new_task.new_task_fields import FormFields, parse_timeout
from tui_manager.ui.forms.tasks import task_form
from tui_manager.ui.manager_link import ManagerChanged


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 3600),
        (" ", 3600),
        ("1h30m", 5400),
        ("500ms", 0.5),
    ],
)
def test_timeouts(text: str, seconds: float) -> None:
    assert parse_timeout(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["5x", "1h;30", "9" * 15 + "d"])
def test_what_is_no_timeout(text: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse_timeout(text)
    assert raised.value.field == "timeout"


def test_empty_fields_are_not_wrong_yet() -> None:
    assert FormFields().problems() == {}
    problems = FormFields(command="true\0", name="n" * 300, timeout="8d").problems()
    assert set(problems) == {"command", "name", "timeout"}


async def test_it_counts_hosts_and_starts_on_them(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"role=web", "tab", *"uptime", "tab", *"up", "tab", *"5m")
        text = shown(pilot)
        assert "14 hosts, 1 offline   web[01-14]" in text
        assert "Start on 14 hosts" in text
        await press(pilot, "enter", "enter")  # from the last field to Start, then press it
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert screen.now.list.key == "7"
    task = fleet.tasks[7]
    assert task.row.status is TaskStatus.RUNNING
    assert (task.row.name, task.row.host_count) == ("up", 14)
    assert task.spec.commands[0].timeout == timedelta(minutes=5)


async def test_a_second_try_after_no_answer_makes_no_second_task(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_task, answered = fleet.create_task, False

    async def late(spec: TaskSpec, request_id: str = "") -> int:
        made = await create_task(spec, request_id)
        if not answered:
            raise NoAnswerError("The manager has not answered for 10 s.")
        return made

    monkeypatch.setattr(fleet, "create_task", late)
    before = len(fleet.tasks)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"true", "f5")
        await settle(pilot)
        assert isinstance(pilot.app.screen, NewTaskScreen), "what was typed is still there"
        answered = True
        await press(pilot, "f5")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert len(fleet.tasks) == before + 1
    assert fleet.tasks[7].row.status is TaskStatus.RUNNING


async def test_hosts_in_maintenance_are_counted_apart(
    fleet: FakeOperator, running: Running
) -> None:
    fleet.change_host("web03", maintenance=Maintenance("new disk", None, "ana@pts/3"))
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"web*")
        await settle(pilot)
        text = str(pilot.app.screen.query_one("#target-hint", Label).content)
        assert "13 hosts, 1 offline, 1 in maintenance   web[01-02,04-14]" in text
        await press(pilot, *["tab"] * 6, "space")
        text = str(pilot.app.screen.query_one("#target-hint", Label).content)
        assert "14 hosts, 1 offline   web[01-14]" in text


async def test_save_makes_a_pending_task(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"true", *("tab",) * 9, "enter")
    assert fleet.tasks[7].row.status is TaskStatus.PENDING


async def test_what_is_wrong_stands_below_its_field(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"rolx=web", "tab", *"true", "tab", "tab", *"5x")
        screen = pilot.app.screen
        assert isinstance(screen, NewTaskScreen)
        assert str(screen.query_one("#target-hint", Label).content) == "No host matches 'rolx=web'."
        assert "like 90s" in str(screen.query_one("#name-hint", Label).content)
        await press(pilot, "f5")
        assert screen.focused is not None
        assert screen.focused.id == "timeout"
        await press(pilot, "escape", "y")
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert len(fleet.tasks) == 6


async def test_keys_that_come_before_the_preview_are_not_lost(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, preview_target = asyncio.Event(), fleet.preview_target

    async def slow(target: str, *, include_maintenance: bool = False) -> TargetPreview:
        await answered.wait()
        return await preview_target(target, include_maintenance=include_maintenance)

    monkeypatch.setattr(fleet, "preview_target", slow)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"true", *["tab"] * 10, "enter")
        await press(pilot, "enter")
        answered.set()
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert len(fleet.tasks) == 7
    assert fleet.tasks[7].row.status is TaskStatus.RUNNING


async def test_a_task_can_wait_for_its_hosts(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"true", *["tab"] * 4, *"2x", "f5")
        assert "[x] wait up to" in shown(pilot), "who types how long wants it to wait"
        assert "Waiting takes from 1 s to 30 d" in shown(pilot)
        await press(pilot, "backspace", *"h", "f5")
        await settle(pilot)
    spec = fleet.tasks[7].spec
    assert (spec.offline, spec.delivery_timeout) == (Offline.WAIT, timedelta(hours=2))


async def test_a_copy_has_all_of_the_task(fleet: FakeOperator, running: Running) -> None:
    step = CommandSpec("id [x]", parameters={"A": "[1]"}, run_as_user="deploy", secrets={"KEY": ""})
    spec = TaskSpec("web01", (step,), "see [id]", include_maintenance=True)
    async with running(fleet, (120, 36)) as pilot:
        assert isinstance(pilot.app, DashboardApp)
        form = NewTaskScreen(pilot.app.link, spec=spec)
        await pilot.app.push_screen(form)
        await settle(pilot)
        text = shown(pilot)
        assert "▸ As deploy, 1 parameter, 1 secret" in text
        assert "[x] also hosts in maintenance" in text
        assert "tui-manager run web01 --name 'see [id]' --param 'A=[1]' --secret KEY" in text
        assert "Start on 1 host" in text
        await press(pilot, "f5")
        assert "The secret KEY is empty" in shown(pilot), "the fold has opened"
        await press(pilot, *"s3cret", "f5")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)
    made = fleet.tasks[7].spec
    assert made == replace(spec, commands=(replace(step, secrets={"KEY": "s3cret"}),))


async def files_are_read(pilot: "Pilot[None]") -> None:
    """Waits for the threads that read files, and for what follows."""
    workers = [one for one in pilot.app.workers if one.group in ("file", "create")]
    await pilot.app.workers.wait_for_complete(workers)
    await settle(pilot)


async def test_a_script_is_read_from_its_file(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "job"
    script.write_bytes(b"no interpreter\n")
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", *["tab"] * 8, "enter", "tab")
        form = pilot.app.screen
        assert form.focused is form.query_one("#script")
        await press(pilot, *"job")
        await files_are_read(pilot)
        hint = str(form.query_one("#script-hint", Label).content)
        assert "must name the program that runs it" in hint
        script.write_bytes(b"#!/bin/sh\nid\n")
        await pilot.press("f5")
        await files_are_read(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen), "it is read again"
    assert fleet.tasks[7].spec.commands[0].script == content_of(b"#!/bin/sh\nid\n")


HOSTS, MANAGER = Changes(hosts=True), Changes(manager=True)


async def look_ups_after(pilot: "Pilot[None]", fleet: FakeOperator, *changes: Changes) -> int:
    """How often the form asks for the hosts of its target after these changes."""
    before = fleet.calls.count("preview_target")
    for change in changes:
        pilot.app.screen.post_message(ManagerChanged(change))
    await settle(pilot)
    return fleet.calls.count("preview_target") - before


# What is typed, what changes then, and how often that leads to a look-up of the target.
LOOK_UPS = (
    ("web99", HOSTS, 1),
    ("web99", MANAGER, 0),  # only a host ends this error
    ("db1,", HOSTS, 0),  # only another text ends this one
    ("db1&!x", MANAGER, 0),
    (" ", HOSTS, 0),  # this is no error yet
)


async def test_a_target_is_looked_up_when_it_changes_and_when_its_error_may_end(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "n")
        target = pilot.app.screen.query_one("#target", Input)
        for text, changes, look_ups in LOOK_UPS:
            target.value = text
            await settle(pilot)
            case = f"{text!r} {changes}"
            assert await look_ups_after(pilot, fleet, changes) == look_ups, case

        target.value = "web99"
        await settle(pilot)
        for _ in range(2):  # many changes lead to one look-up
            assert await look_ups_after(pilot, fleet, *[HOSTS] * 20) == 1
        with monkeypatch.context() as patient:
            patient.setattr(task_form, "LOOK_UP_AGAIN_AFTER", A_DAY)
            for _ in range(3):
                assert await look_ups_after(pilot, fleet, HOSTS) == 0, "not at once"
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        form._look_up_now()  # as after that day
        fleet.add_host("web99")
        await settle(pilot)
        assert "Start on 1 host" in shown(pilot)
        assert await look_ups_after(pilot, fleet, HOSTS, MANAGER) == 0

        before = fleet.calls.count("preview_target")
        await press(pilot, "tab", *"true", "tab", *"name")
        assert fleet.calls.count("preview_target") == before, "another field has changed"

        fleet.failure = StorageError("The database is locked.")
        target.value = "db1"
        await settle(pilot)
        assert await look_ups_after(pilot, fleet, MANAGER, HOSTS) == 1
