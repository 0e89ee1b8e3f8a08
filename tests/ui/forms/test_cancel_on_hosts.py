"""`c` on marked hosts of a task: the question, and the call."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.tasks.transitions import Operation
from tui_manager.ui.action_table import BY_ID
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.questions import cancel_on_hosts_question, cancel_question
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen


async def running_fleet(hosts: int = 3) -> FakeOperator:
    """Task 1 runs on some hosts."""
    fleet = FakeOperator()
    for number in range(1, hosts + 1):
        fleet.add_host(f"h{number}")
    task_id = await fleet.create_task(TaskSpec("@all", (CommandSpec("sleep 9"),), "deploy"))
    await fleet.start_task(task_id)
    for number in range(1, hosts + 1):
        fleet.apply(fleet.execution(task_id, f"h{number}"), Operation.START)
    return fleet


async def test_marked_hosts_are_canceled_and_the_others_go_on(running: Running) -> None:
    fleet = await running_fleet()
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TaskScreen)
        screen.rows.toggle_mark()
        screen.rows.toggle_mark()
        await settle(pilot)
        assert screen.label_of(BY_ID["cancel_task"]) == "Cancel on 2"
        await press(pilot, "c")
        assert isinstance(app.screen, ConfirmScreen)
        assert app.screen.question.title == "Cancel #1 deploy on 2 hosts?"
        assert "h[1-2]" in [str(label.content) for label in app.screen.query(Label)]
        await press(pilot, "y")
        await settle(pilot)
    rows = fleet.tasks[1].rows.values()
    assert [row.host for row in rows if row.canceling] == ["h1", "h2"]
    assert not fleet.tasks[1].row.canceling


async def test_it_says_why_there_is_nothing_to_cancel_or_pause(running: Running) -> None:
    fleet = await running_fleet(1)
    fleet.apply(fleet.execution(1, "h1"), Operation.FAIL, Reason.EXIT_CODE, exit_code=1)
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        assert isinstance(app.screen, TaskScreen)
        app.screen.rows.toggle_mark()
        await settle(pilot)
        await press(pilot, "c", "p")
        said = [one.message for one in app._notifications]
    assert said == [
        "#1 deploy has failed: there is nothing to cancel.",
        "#1 deploy has failed: there is nothing to pause.",
    ]


async def test_it_does_not_ask_if_all_marked_hosts_have_ended(running: Running) -> None:
    fleet = await running_fleet()
    for name in ("h1", "h2"):
        fleet.finish(fleet.execution(1, name), 3)
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TaskScreen)
        rows = screen.rows
        rows.toggle_mark()
        rows.toggle_mark()
        await settle(pilot)
        await press(pilot, "c")
        await settle(pilot)
        assert app.screen is screen
        assert [one.message for one in app._notifications] == [
            "#1 deploy has ended on h[1-2]: there is nothing to cancel."
        ]
        rows.go_to(2)
        rows.toggle_mark()
        await settle(pilot)
        await press(pilot, "c")
        assert isinstance(app.screen, ConfirmScreen), "h3 runs"


async def with_hidden_marks(pilot: "Pilot[None]") -> TaskScreen:
    """The screen of task 1 with marks on h1 and h2, which its filter does not show."""
    app = pilot.app
    assert isinstance(app, DashboardApp)
    await app.action_open_task(1)
    await settle(pilot)
    screen = app.screen
    assert isinstance(screen, TaskScreen)
    screen.rows.toggle_mark()
    screen.rows.toggle_mark()
    await settle(pilot)
    screen.rows.filter_by("h3")
    await settle(pilot)
    return screen


@pytest.mark.parametrize("key", ["c", "r", "n"])
@pytest.mark.parametrize("ended", [False, True])
async def test_with_marks_out_of_the_list_a_key_does_not_act_on_the_whole_task(
    running: Running, key: str, ended: bool
) -> None:
    fleet = await running_fleet()
    for number in (1, 2, 3) if ended else ():
        fleet.finish(fleet.execution(1, f"h{number}"), 3)
    async with running(fleet, (120, 36)) as pilot:
        screen = await with_hidden_marks(pilot)
        await press(pilot, key)
        await settle(pilot)
        assert pilot.app.screen is screen
        said = [one.message for one in pilot.app._notifications]
        assert said == [
            "None of the marked rows is in the list. Change its filter, or clear the marks (esc)."
        ]
        await press(pilot, "escape", key)
        await settle(pilot)
        assert (pilot.app.screen is screen) is ((key, ended) in [("c", True), ("r", False)])


async def test_marks_that_faults_only_hides_are_not_the_whole_task(running: Running) -> None:
    fleet = await running_fleet()
    fleet.finish(fleet.execution(1, "h3"), 3)
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TaskScreen)
        screen.rows.go_to(1)
        screen.rows.toggle_mark()
        await settle(pilot)
        await press(pilot, "!")
        await settle(pilot)
        await press(pilot, "c")
        await settle(pilot)
        assert app.screen is screen
        assert [one.message[:35] for one in app._notifications] == [
            "None of the marked rows is in the l"
        ]


async def test_the_marked_hosts_are_read_once_for_the_footer(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = await running_fleet()
    async with running(fleet, (120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        await app.action_open_task(1)
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TaskScreen)
        screen.rows.toggle_mark()
        await settle(pilot)
        read: list[None] = []

        def marked_task_hosts(_screen: TaskScreen) -> dict[str, str]:
            read.append(None)
            return {"host-h1": "h1"}

        monkeypatch.setattr(TaskScreen, "marked_task_hosts", marked_task_hosts)
        screen.show_keys()
        assert len(read) == 1


async def test_the_question_for_one_host_names_it() -> None:
    fleet = await running_fleet(1)
    question = cancel_on_hosts_question(fleet.tasks[1].row, ["h1"])
    assert question.title == "Cancel #1 deploy on h1?"
    assert question.verb == "Cancel on h1"


@pytest.mark.parametrize(("count", "typed", "names"), [(3, "", "h[1-3]"), (300, "300", "h[1-300]")])
async def test_the_question_names_the_hosts(count: int, typed: str, names: str) -> None:
    fleet = await running_fleet(1)
    task: Task = fleet.tasks[1].row
    question = cancel_on_hosts_question(task, [f"h{number}" for number in range(1, count + 1)])
    assert (question.typed, question.lines[0]) == (typed, names)
    assert question.destructive


async def test_hosts_that_tasks_share_are_not_added_up() -> None:
    task: Task = (await running_fleet(3)).tasks[1].row
    question = cancel_question([task, replace(task, host_count=30)])
    assert "on 3 and 30 hosts have not ended." in question.lines[0]
    assert question.typed == "30"
    question = cancel_question([task] * 9)
    assert "on at most 3 hosts each have not ended." in question.lines[0]
    assert not question.typed
    question = cancel_question([task])
    assert "on 3 hosts have not ended." in question.lines[0]
    assert "a file in part is removed" in question.lines[2]


async def test_what_waits_without_batches_names_none(running: Running) -> None:
    fleet = await running_fleet(1)
    rows = fleet.tasks[1].rows
    for key, row in rows.items():
        rows[key] = replace(
            row, status=CommandHostStatus.PENDING, sent_at=None, started_at=None, batch=1
        )
    async with running(fleet, (120, 36)) as pilot:
        assert isinstance(pilot.app, DashboardApp)
        await pilot.app.action_open_task(1)
        await settle(pilot)
        assert "to be sent" in shown(pilot)
        assert "in batch" not in shown(pilot)
