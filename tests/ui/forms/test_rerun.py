"""`r` on a task that has ended: the question, and the task that it makes."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Label

from tests.operator.recording import DETAIL
from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import Counts
from tui_manager.domain.tasks.transitions import Operation
from tui_manager.ui.action_table import BY_ID
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.form import TickBox
from tui_manager.ui.forms.tasks.rerun_choice import KEYS, RerunChoice
from tui_manager.ui.forms.tasks.rerun_task import RerunScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

SIZES = [(80, 24), (160, 48)]


async def ended_fleet(hosts: int = 6, secrets: tuple[str, ...] = ()) -> FakeOperator:
    """Task 1 has ended: h1 failed, h2 was not reached, h3 is unknown, the others completed."""
    fleet = FakeOperator()
    for number in range(1, hosts + 1):
        fleet.add_host(f"h{number}")
    command = CommandSpec("true", secrets=dict.fromkeys(secrets, "old"))
    task_id = await fleet.create_task(TaskSpec("@all", (command,), "deploy"))
    await fleet.start_task(task_id)
    for number in range(1, hosts + 1):
        execution = fleet.execution(task_id, f"h{number}")
        if number == 1:
            fleet.finish(execution, 3)
        elif number == 2:
            fleet.apply(execution, Operation.GIVE_UP_SENDING, Reason.UNDELIVERABLE)
        elif number == 3:
            fleet.apply(execution, Operation.FAIL, Reason.INTERRUPTED)
        else:
            fleet.finish(execution)
    return fleet


def question(pilot: "Pilot[None]") -> RerunScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RerunScreen)
    return screen


def ticked(pilot: "Pilot[None]") -> list[str]:
    return [str(box.id) for box in question(pilot).query(TickBox) if box.value]


def hosts_of(fleet: FakeOperator, task_id: int) -> list[str]:
    return [row.host for row in fleet.tasks[task_id].rows.values()]


@pytest.mark.parametrize("size", SIZES)
async def test_the_failed_and_unreached_hosts_are_the_default(
    running: Running, size: tuple[int, int]
) -> None:
    fleet = await ended_fleet()
    async with running(fleet, size) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        screen = shown(pilot)
        assert "Run #1 deploy again" in screen
        assert "[x] failed           1 host    h1" in screen
        assert "[x] unreached        1 host    h2" in screen
        assert "[ ] unknown          1 host    may still run: h3" in screen
        assert "[ ] completed        3 hosts   h[4-6]" in screen
        assert "[ ] all              6 hosts   h[1-6]" in screen
        assert "2 hosts   h[1-2]" in screen
        assert "Run on 2 hosts  f5" in screen
        assert ticked(pilot) == ["failed", "unreached"]
        await press(pilot, "enter")
        await settle(pilot)
        dashboard = pilot.app.screen
        assert isinstance(dashboard, DashboardScreen)
        assert dashboard.now.list.key == "2"
    assert hosts_of(fleet, 2) == ["h1", "h2"]
    assert fleet.tasks[2].row.status is TaskStatus.RUNNING
    assert fleet.tasks[2].row.rerun_of == 1


async def test_classes_are_chosen_with_the_keys(running: Running) -> None:
    fleet = await ended_fleet()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        await press(pilot, "a")
        assert ticked(pilot) == ["failed", "unreached", "unknown", "completed", "all"]
        await press(pilot, "c")
        assert ticked(pilot) == ["failed", "unreached", "unknown"]
        await press(pilot, "f", "u", "k", *["up"] * 3, "space")
        assert ticked(pilot) == ["unknown"]
        assert "1 host   h3" in shown(pilot)
        await press(pilot, "f5")
        await settle(pilot)
    assert hosts_of(fleet, 2) == ["h3"]


async def test_without_a_class_nothing_runs(running: Running) -> None:
    fleet = await ended_fleet()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        await press(pilot, "f", "u", "f5")
        assert "Tick which hosts it is to run on." in shown(pilot)
        assert ticked(pilot) == []
        await press(pilot, "escape")
        await settle(pilot)
        assert isinstance(pilot.app.screen, ConfirmScreen), "something was changed"
    assert list(fleet.tasks) == [1]


async def test_a_class_without_hosts_cannot_be_chosen(running: Running) -> None:
    fleet = await ended_fleet(2)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        off = [str(box.id) for box in question(pilot).query(TickBox) if box.disabled]
        assert off == [HostClass.UNKNOWN, HostClass.COMPLETED]
        await press(pilot, "escape")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)


async def test_secrets_are_asked_for(running: Running) -> None:
    fleet = await ended_fleet(secrets=("KEY", "TOKEN"))
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        assert "Secret KEY" in shown(pilot)
        await press(pilot, *"k1", "tab", *"t2")
        assert "k1" not in shown(pilot)
        await press(pilot, "f5")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert fleet.tasks[2].spec.commands[0].secrets == {"KEY": "k1", "TOKEN": "t2"}


async def test_above_20_hosts_the_number_is_typed(running: Running) -> None:
    fleet = await ended_fleet(30)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        assert not question(pilot).query_one("#number").display
        await press(pilot, "c")
        assert "Type 29, the number of hosts, to go on:" in shown(pilot)
        await press(pilot, "f5")
        assert "29 is not what is typed." in shown(pilot)
        assert list(fleet.tasks) == [1]
        await press(pilot, *"29", "enter")
        await settle(pilot)
    assert len(hosts_of(fleet, 2)) == 29


async def test_who_is_left_out_is_said(running: Running) -> None:
    fleet = await ended_fleet()
    fleet.change_host("h1", maintenance=Maintenance("new disk", None, "ana@pts/3"))
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        assert "1 host, 1 in maintenance or gone   h2" in shown(pilot)
        await press(pilot, "f5")
        await settle(pilot)
    assert hosts_of(fleet, 2) == ["h2"]


async def test_only_a_task_that_has_ended_is_run_again(running: Running) -> None:
    fleet = await ended_fleet()
    await fleet.start_task(await fleet.create_task(TaskSpec("h1", (CommandSpec("sleep 9"),))))
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)
        (said,) = pilot.app._notifications
        assert said.message == "#2 sleep 9 is running: it can be run again when it has ended."


async def test_an_error_is_shown_and_a_second_try_makes_one_task(running: Running) -> None:
    fleet = await ended_fleet()
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "r")
        await settle(pilot)
        fleet.failure = StorageError("The disk is full.")
        await press(pilot, "f5")
        await settle(pilot)
        assert str(question(pilot).query_one("#problem", Label).content) == "The disk is full."
        fleet.failure = None
        question(pilot).query_one("#run", Button).press()
        await settle(pilot)
    assert list(fleet.tasks) == [1, 2]


async def test_on_its_own_screen_the_new_task_is_opened(running: Running) -> None:
    fleet = await ended_fleet()
    async with running(fleet, (80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        await press(pilot, "r")
        await settle(pilot)
        await press(pilot, "f5")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, TaskScreen)
        assert screen.task_id == 2


async def test_marked_hosts_are_what_runs_again(running: Running) -> None:
    fleet = await ended_fleet()
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TaskScreen)
        screen.rows.toggle_mark()
        await press(pilot, "end")
        screen.rows.toggle_mark()
        await settle(pilot)
        assert screen.label_of(BY_ID["rerun_task"]).endswith(" on 2")
        await press(pilot, "r")
        await settle(pilot)
        assert ticked(pilot) == ["marked"]
        await press(pilot, "f")
        assert ticked(pilot) == ["failed"]
        await press(pilot, "m")
        assert ticked(pilot) == ["marked"]
        await press(pilot, "f5")
        await settle(pilot)
    assert hosts_of(fleet, 2) == ["h1", "h6"]


@pytest.mark.parametrize("removed", [["h1"], ["h1", "h2"]])
async def test_marked_hosts_that_are_gone_are_left_out(
    running: Running, removed: list[str]
) -> None:
    fleet = await ended_fleet()
    for name in removed:
        fleet.hosts[name] = replace(fleet.hosts[name], online=False)
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TaskScreen)
        for number in (0, 1):
            screen.rows.go_to(number)
            screen.rows.toggle_mark()
        await settle(pilot)
        marked = list(screen.marked_task_hosts().values())
        assert marked == ["h1", "h2"]
        await fleet.remove_hosts(removed)
        await settle(pilot)
        await press(pilot, "r")
        await settle(pilot)
        left = [name for name in marked if name not in removed]
        if not left:
            assert app.screen is screen
            said = [one.message for one in app._notifications]
            assert said == ["No longer in the fleet: h[1-2]. No marked host is left to run on."]
            return
        assert "No longer in the fleet: h1" in shown(pilot)
        await press(pilot, "f5")
        await settle(pilot)
    assert hosts_of(fleet, 2) == left


def test_a_host_that_was_canceled_is_told_to_be_so() -> None:
    canceled = replace(DETAIL.task, counts=Counts(total=1, canceled=1))
    hosts = {one: ["h1"] for one in KEYS}
    for detail, meaning in ((DETAIL, ""), (replace(DETAIL, task=canceled), "or canceled: ")):
        choice = RerunChoice(detail, hosts)
        assert choice.meaning_of(HostClass.FAILED) == meaning
        assert choice.meaning_of(HostClass.COMPLETED) == ""


def test_what_is_ticked_at_first() -> None:
    def preset(*counts: int, marked: bool = False) -> list[str]:
        hosts = {one: ["h1"] * count for one, count in zip(KEYS, counts, strict=True)}
        return list(RerunChoice(DETAIL, hosts, {"id": "h1"} if marked else {}).preset)

    assert preset(1, 1, 1, 1) == ["failed", "unreached"]
    assert preset(0, 1, 1, 1) == ["unreached"]
    assert preset(0, 0, 0, 3) == ["completed"]
    assert preset(0, 0, 1, 3) == [], "it may still run there"
    assert preset(1, 1, 1, 1, marked=True) == []
