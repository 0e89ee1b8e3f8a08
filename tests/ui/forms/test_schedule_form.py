"""The form of a schedule: due times while it is typed, errors, and what others do meanwhile."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, TextArea

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.seeded.seeded_schedules import BACKUP
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import InvalidInputError, UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.schedule import Overlap, ScheduleSpec, TemplateUse
from tui_manager.domain.task_files.task_file import TaskFile, read_task_file
from tui_manager.domain.task_files.template import TemplateDetail
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.schedules import schedule_fields
from tui_manager.ui.forms.schedules.schedule_fields import (
    ScheduleFields,
    fields_of,
    parse_values,
    value_problem,
)
from tui_manager.ui.forms.schedules.schedule_form import ScheduleForm
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen
from tui_manager.ui.schedules.template_table import TemplateTable

SIZES = [(80, 24), (120, 36), (200, 50)]
NIGHTLY = ScheduleFields("nightly", command="uptime", target="@all", cron="0 2 * * *", zone="UTC")
STEPS = """\
target = "@all"
timeout = "5m"

[[steps]]
run = "one"

[[steps]]
run = "two"
always = true
"""


def form(pilot: "Pilot[None]") -> ScheduleForm:
    screen = pilot.app.screen
    assert isinstance(screen, ScheduleForm), screen
    return screen


def hint(pilot: "Pilot[None]", field: str) -> str:
    return str(form(pilot).query_one(f"#{field}-hint", Label).content)


def problem(pilot: "Pilot[None]") -> str:
    return str(form(pilot).query_one("#problem", Label).content)


async def type_into(pilot: "Pilot[None]", **texts: str) -> None:
    for field, text in texts.items():
        widget = form(pilot).query_one(f"#{field}")
        if isinstance(widget, TextArea):
            widget.text = text
        elif isinstance(widget, Input):
            widget.value = text
    await settle(pilot)


# Fields.


def test_a_command_becomes_a_task_file_of_its_own() -> None:
    spec = NIGHTLY.spec()
    assert spec.template is None
    own = read_task_file(spec.task_file, "nightly").spec
    assert (own.target, own.commands[0].text) == ("@all", "uptime")
    assert fields_of(spec) == replace(
        NIGHTLY, overlap="skip", misfire="5m", task_file=spec.task_file
    )


def test_a_template_with_its_values() -> None:
    fields = replace(
        NIGHTLY, command="", template="restart@3", values="A=1 B='a b'", target="web*",
        cron=" 0  2 * * * ", overlap="wait", misfire="1h",
    )  # fmt: skip
    spec = fields.spec()
    assert spec == ScheduleSpec(
        "nightly", "0 2 * * *", "UTC", Overlap.WAIT, timedelta(hours=1),
        TemplateUse("restart", 3, {"A": "1", "B": "a b"}, "web*"),
    )  # fmt: skip
    assert fields_of(spec).spec() == spec


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"cron": " "}, "cron"),
        ({"zone": ""}, "zone"),
        ({"command": " "}, "template"),
        ({"template": "restart"}, "command"),
        ({"command": "", "template": "@"}, "template"),
        ({"command": "", "template": "a@x"}, "template"),
        ({"command": "", "template": "a", "values": "x"}, "param"),
        ({"command": "", "template": "a", "values": "x='"}, "param"),
        ({"target": ""}, "target"),
        ({"overlap": "both"}, "overlap"),
        ({"misfire": "soon"}, "misfire"),
        ({"command": "a\0"}, "command"),
    ],
)
def test_what_is_wrong_names_its_field(changed: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        replace(NIGHTLY, **changed).spec()  # type: ignore[arg-type]
    assert raised.value.field == field


def test_empty_fields_are_not_wrong_yet() -> None:
    assert ScheduleFields().problems() == {}
    wrong = ScheduleFields("a b", "@", "x", "true", overlap="x", misfire="x")
    assert set(wrong.problems()) == {
        "name", "template", "param", "overlap", "misfire", "command",
    }  # fmt: skip


def test_what_a_task_file_has_besides_stays_when_it_is_edited() -> None:
    fields = fields_of(ScheduleSpec("nightly", "0 2 * * *", "UTC", task_file=STEPS))
    assert fields.has_steps
    assert fields.command == ""
    assert fields.spec().task_file == STEPS, "nothing was changed"
    changed = read_task_file(replace(fields, target="db1").spec().task_file, "nightly").spec
    before = read_task_file(STEPS, "nightly").spec
    assert changed == replace(before, target="db1")
    returns = STEPS.partition('\n[[steps]]\nrun = "two"')[0].replace('"one"', r'"one\r"')
    assert replace(fields, task_file=returns).has_steps, "the field would change it"
    one = STEPS.partition('\n[[steps]]\nrun = "two"')[0]
    single = fields_of(ScheduleSpec("nightly", "0 2 * * *", "UTC", task_file=one))
    assert (single.command, single.has_steps) == ("one", False)
    (step,) = read_task_file(replace(single, command="x").spec().task_file, "n").spec.commands
    assert (step.text, step.timeout) == ("x", timedelta(minutes=5))


def test_values() -> None:
    assert parse_values("A=1  B='x y' C=a=b D=") == {"A": "1", "B": "x y", "C": "a=b", "D": ""}
    for text in ("A", "=x", "A=1 A=2", 'A="'):
        with pytest.raises(InvalidInputError):
            parse_values(text)


async def test_values_are_checked_against_the_parameters(fleet: FakeOperator) -> None:
    restart = read_task_file((await fleet.get_template("restart")).text, "restart")
    assert value_problem(restart, {"TICKET": "OPS-1"}) == ""
    assert "TICKET (text)" in value_problem(restart, {})
    assert "There is no parameter X" in value_problem(restart, {"TICKET": "OPS-1", "X": "1"})
    assert "whole number" in value_problem(restart, {"TICKET": "OPS-1", "WAIT": "x"})
    key = read_task_file('target="a"\n[params.K]\ntype="secret"\n[[steps]]\nrun="a"', "key")
    assert "nobody is there to type the secret K" in value_problem(key, {})


# The form.


async def test_its_own_task_is_not_read_again_at_each_key(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(fleet.schedules["disk"].spec, task_file=STEPS)
    await fleet.edit_schedule(spec, 1)
    read = 0

    def counted(text: str, name: str) -> TaskFile:
        nonlocal read
        read += 1
        return read_task_file(text, name)

    async with running(fleet) as pilot:
        monkeypatch.setattr(schedule_fields, "read_task_file", counted)
        await press(pilot, "5", "down", "e")
        assert "it has several steps, a script or other line ends, which stay" in shown(pilot)
        assert read, "it is read when the form opens"
        before = read
        await press(pilot, *"12 3")
        assert read == before


@pytest.mark.parametrize("size", SIZES)
async def test_due_times_are_shown_while_the_expression_is_typed(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "5", "a")
        await type_into(pilot, cron="0 2 * * *", zone="Europe/Berlin")
        assert hint(pilot, "cron").startswith("Tue  3 Mar 01:00 (02:00 there) in 10h")
        await type_into(pilot, cron="0 25 * * *")
        assert "is no cron expression" in hint(pilot, "cron")
        await type_into(pilot, cron="0 2 * * *", zone="Mars/Crater")
        assert hint(pilot, "cron").startswith("There is no time zone 'Mars/Crater'; take")
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, ConfirmScreen)


@pytest.mark.parametrize("size", SIZES[:2])
async def test_a_template_is_scheduled_with_its_values(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "5")
        pilot.app.screen.query_one(TemplateTable).focus()
        await press(pilot, "down", "a", *"weekly", "tab")
        assert form(pilot).query_one("#template", Input).value == "restart"
        assert hint(pilot, "template") == "runs on role=web"
        assert hint(pilot, "values") == "These need a value: TICKET (text)."
        assert not form(pilot).query_one("#command-line").display
        await press(pilot, "tab", *"TICKET=OPS-1")
        assert hint(pilot, "values").startswith("SERVICE: one of: nginx, haproxy   WAIT: integer")
        await press(pilot, "tab", "tab", *"5 4 * * sun", "tab", *"UTC", "f5")
        screen = pilot.app.screen
        assert isinstance(screen, SchedulesScreen)
        assert screen.selected_schedule is not None
        assert screen.selected_schedule.spec.name == "weekly"
        assert "weekly   5 4 * * sun   UTC" in shown(pilot)
    assert fleet.schedules["weekly"].spec == ScheduleSpec(
        "weekly", "5 4 * * sun", "UTC", template=TemplateUse("restart", 0, {"TICKET": "OPS-1"})
    )


async def test_a_command_is_scheduled(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5", "a", *"up", "tab", "tab", "tab", *"uptime", "tab", *"db1")
        await press(pilot, "tab", "tab", *"@hourly", "f5")
        assert "The zone is missing" in hint(pilot, "cron")
        assert pilot.app.focused is form(pilot).query_one("#zone")
        await press(pilot, *"UTC")
        await type_into(pilot, cron="0 * * * *")
        await press(pilot, "f5")
        assert isinstance(pilot.app.screen, SchedulesScreen)
    own = read_task_file(fleet.schedules["up"].spec.task_file, "up").spec
    assert (own.target, own.commands[0].text) == ("db1", "uptime")


async def test_a_name_that_there_is(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "a")
        await type_into(
            pilot, name="disk", command="true", target="@all", cron="* * * * *", zone="UTC"
        )
        await press(pilot, "f5")
        assert problem(pilot) == "There is a schedule disk already."
        await type_into(pilot, name="disk2")
        assert problem(pilot) == ""
        await press(pilot, "f5")
    assert "disk2" in fleet.schedules


async def test_a_template_that_there_is_not_yet(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "a")
        await type_into(pilot, template="late@1")
        assert hint(pilot, "template") == "There is no template late."
        await fleet.save_template("late", STEPS)
        await settle(pilot)
        assert hint(pilot, "template") == "runs on @all"
        assert hint(pilot, "values") == "the template has no parameters"


async def test_e_edits_a_schedule(fleet: FakeOperator, running: Running) -> None:
    await fleet.save_template("backup", BACKUP)  # without the parameter that is missing
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5", "e")
        assert form(pilot).query_one("#name").disabled
        assert pilot.app.focused is form(pilot).query_one("#cron")
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, SchedulesScreen), "nothing was typed"
        await press(pilot, "e")
        await type_into(pilot, cron="5 5 * * *", misfire="1h")
        await press(pilot, "f5")
        await settle(pilot)
        assert "backup   5 5 * * *" in shown(pilot)
    spec = fleet.schedules["backup"].spec
    assert (spec.cron, spec.misfire) == ("5 5 * * *", timedelta(hours=1))
    assert spec.template == TemplateUse("backup", parameters={"BUCKET": "weekly"})


async def test_another_operator_edits_it_meanwhile(fleet: FakeOperator, running: Running) -> None:
    await fleet.save_template("backup", BACKUP)  # without the parameter that is missing
    async with running(fleet) as pilot:
        await press(pilot, "5", "e")
        await type_into(pilot, cron="5 5 * * *")
        spec = fleet.schedules["backup"].spec
        await fleet.edit_schedule(replace(spec, cron="9 9 * * *"), 1)
        for _ in range(2):  # after a no it is asked again: nothing is saved over it in silence
            await press(pilot, "f5")
            text = shown(pilot)
            assert "Save over another edit of backup?" in text
            assert "9 9 * * * in Europe/Berlin, template backup with BUCKET=weekly" in text
            await press(pilot, "n")
            assert form(pilot).query_one("#cron", Input).value == "5 5 * * *"
            await press(pilot, "escape", "n")  # the form is not left
        assert fleet.schedules["backup"].spec.cron == "9 9 * * *"
        await press(pilot, "f5", "y")
        assert isinstance(pilot.app.screen, SchedulesScreen)
    assert fleet.schedules["backup"].spec.cron == "5 5 * * *"


@pytest.mark.parametrize("paused", [False, True])
async def test_another_operator_deletes_it_meanwhile(
    fleet: FakeOperator, running: Running, paused: bool
) -> None:
    if paused:
        await fleet.pause_schedule("disk")
    async with running(fleet) as pilot:
        await press(pilot, "5", "down", "e")
        await fleet.delete_schedule("disk")
        await press(pilot, "f5")
        text = shown(pilot)
        assert "Add disk again?" in text
        assert ("It is paused again, as it was." in text) is paused
        await press(pilot, "n")
        assert "disk" not in fleet.schedules
        await press(pilot, "f5", "y")
        assert isinstance(pilot.app.screen, SchedulesScreen)
    assert fleet.schedules["disk"].spec.cron == "0 11 * * *"
    assert fleet.schedules["disk"].paused is paused


async def test_the_hosts_of_the_target_are_counted_while_it_is_typed(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "a")
        await type_into(pilot, command="uptime", target="web0[1-4]")
        assert hint(pilot, "target") == "now 4 hosts: web[01-04], 1 offline"
        fleet.change_host("web04", online=True)
        fleet.publish(Changes(hosts=True))
        await settle(pilot)
        assert hint(pilot, "target") == "now 4 hosts: web[01-04]"
        await type_into(pilot, target="nowhere")
        assert "nowhere" in hint(pilot, "target")
        await type_into(pilot, command="", target="", template="backup")
        assert hint(pilot, "target") == "empty: the target of the template: now 3 hosts: db[1-3]"


async def test_both_errors_of_two_fields_in_one_line_are_shown(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "5", "a")
        await type_into(pilot, cron="x", zone="Nowhere", overlap="both", misfire="soon")
        assert hint(pilot, "cron").count("\n") == 1
        assert "Nowhere" in hint(pilot, "cron")
        assert hint(pilot, "overlap").splitlines() == [
            "While the task before runs: skip, or wait.",
            "A time is like 90s, 5m, 1h30m or 2d.",
        ]


def test_an_own_task_may_run_on_hosts_in_maintenance_too() -> None:
    fields = replace(NIGHTLY, include_maintenance=True)
    spec = fields.spec()
    assert read_task_file(spec.task_file, "nightly").spec.include_maintenance
    assert fields_of(spec).include_maintenance
    back = replace(fields_of(spec), include_maintenance=False).spec()
    assert not read_task_file(back.task_file, "nightly").spec.include_maintenance


async def test_nothing_typed_is_lost_while_the_manager_is_away(
    fleet: FakeOperator, running: Running
) -> None:
    await fleet.save_template("backup", BACKUP)  # without the parameter that is missing
    async with running(fleet) as pilot:
        await press(pilot, "5", "a")
        fleet.failure = UnreachableError("No manager answers.")
        await type_into(pilot, name="n", template="backup", cron="* * * * *", zone="UTC")
        assert hint(pilot, "cron") == "No manager answers."
        assert hint(pilot, "template") == "No manager answers."
        await press(pilot, "f5")
        assert problem(pilot) == "No manager answers."
        fleet.failure = None
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert hint(pilot, "cron").startswith("Mon  2 Mar 14:04 in 38s")
        assert hint(pilot, "template") == "runs on role=db"
        assert form(pilot).query_one("#name", Input).value == "n"
        await press(pilot, "f5")
    assert "n" in fleet.schedules


async def test_a_template_that_is_answered_too_late_is_not_shown(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_template, answered = fleet.get_template, asyncio.Event()

    async def slow(name: str, version: int = 0) -> TemplateDetail:
        await answered.wait()
        return await get_template(name, version)

    async with running(fleet) as pilot:
        await press(pilot, "5", "a")
        monkeypatch.setattr(fleet, "get_template", slow)
        await type_into(pilot, template="backup")
        await type_into(pilot, template="")
        answered.set()
        await settle(pilot)
        assert "runs on" not in hint(pilot, "template")
        assert hint(pilot, "values") == ""


async def test_an_empty_zone_says_that_it_is_required(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "5", "a")
        assert "required, like UTC" in shown(pilot)
