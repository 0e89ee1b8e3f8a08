"""Rollouts and pauses on the screen."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.rollout_spec import HoldRule, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost, Hold, RolloutProgress, Task
from tui_manager.domain.tasks.task_map import TaskMap
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.tasks.lists.all_tasks_table import COLUMNS, columns_for, task_cell
from tui_manager.ui.tasks.one_task.task_head import away_lines, task_head, waiting_lines

HELD = RolloutSpec("1,25%,rest", max_failures="2", hold=HoldRule.EACH)
SIZES = [(80, 24), (120, 36)]


async def held_task(fleet: FakeOperator) -> Task:
    """A task on the web hosts that is on hold after its first batch."""
    spec = TaskSpec("role=web", (CommandSpec("restart"),), "rolling restart", rollout=HELD)
    task_id = await fleet.create_task(spec)
    await fleet.start_task(task_id)
    fleet.finish(fleet.execution(task_id, "web01"))
    return fleet.tasks[task_id].row


@pytest.mark.parametrize("size", SIZES)
async def test_p_releases_a_hold_and_pauses_what_runs(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    task = await held_task(fleet)
    async with running(fleet, size) as pilot:
        await press(pilot, "home")
        assert re.search(r"‖ +7 rolling", shown(pilot))
        await press(pilot, "p")
        row = fleet.tasks[task.task_id].row
        assert row.hold is None
        assert row.rollout is not None
        assert row.rollout.batch == 2
        await settle(pilot)
        assert re.search(r"▶ +7 rolling", shown(pilot))
        await press(pilot, "p")
        assert fleet.tasks[task.task_id].row.paused
        await settle(pilot)
        assert re.search(r"‖ +7 rolling", shown(pilot))
        await press(pilot, "p")
        assert not fleet.tasks[task.task_id].row.paused


async def test_p_on_several_tasks_pauses_all_that_run_before_it_resumes_any(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "3", "down", *("space",) * 2)  # 5 and 4 run
        await fleet.pause_task(4)
        await settle(pilot)
        await press(pilot, "p")
        assert [fleet.tasks[number].row.paused for number in (4, 5)] == [True, True]
        await settle(pilot)
        await press(pilot, "p")
        assert [fleet.tasks[number].row.paused for number in (4, 5)] == [False, False]


async def test_p_on_a_task_that_does_not_run_says_why_not(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "3", "home", "p")
        (said,) = [notice.message for notice in pilot.app._notifications]
        only = "only a running task can be paused; start it first."
        assert said == f"#6 restart web is pending: {only}"
    assert not fleet.tasks[6].row.paused


@pytest.mark.parametrize("size", SIZES)
async def test_the_screen_of_a_task_says_where_its_rollout_is(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    await held_task(fleet)
    async with running(fleet, size) as pilot:
        await press(pilot, "home", "enter")
        await settle(pilot)
        text = shown(pilot)
        assert "rolling restart   role=web by ana@pts/3" in text
        assert "‖ on hold 0:00" in text
        assert "batch 1 of 3   budget 0 of 2 used" in text
        assert "‖ on hold after batch 1: the rest is skipped in 1d   p goes on" in text
        assert "in batch 2" in text
        await press(pilot, "p")
        await settle(pilot)
        text = shown(pilot)
        assert "batch 2 of 3   budget 0 of 2 used" in text
        assert "on hold" not in text


async def test_the_head_says_what_ends_a_pause(fleet: FakeOperator) -> None:
    task = replace(await held_task(fleet), paused=True, hold=Hold(1, 3, None))
    (line,) = waiting_lines(task, START, None, None)
    assert plain(line) == "‖ paused and on hold after batch 1   p ends pause and hold, c cancels"
    (line,) = waiting_lines(replace(task, hold=None), START, None, None)
    assert plain(line) == "‖ paused: nothing more is sent   p goes on, c cancels"


async def test_the_head_says_until_when_it_waits_for_hosts(fleet: FakeOperator) -> None:
    task = replace(await held_task(fleet), hold=None)
    until = START + timedelta(hours=4, minutes=37)
    for away, hosts, said in (
        (3, 14, "○ 3 hosts wait for their connections, the first until 18:40"),
        (1, 14, "○ 1 host waits for its connection, until 18:40"),
        (1, 1, "○ waiting for its connection, until 18:40"),
    ):
        one = replace(task, host_count=hosts)
        (line,) = away_lines(one, TaskMap((), away, until), START)
        assert plain(line) == said
    assert away_lines(task, TaskMap(), START) == ()
    # In a pause, that wait stands still.
    assert away_lines(replace(task, paused=True), TaskMap((), 1, until), START) == ()


async def test_the_head_counts_down_to_the_kill(fleet: FakeOperator) -> None:
    task = replace(await held_task(fleet), cancel_requested_at=START)
    hosts = {CommandHostStatus.RUNNING: 3, CommandHostStatus.PENDING: 1}
    grace = timedelta(seconds=10)
    (line,) = waiting_lines(task, START + timedelta(seconds=2.5), hosts, grace)
    assert plain(line) == "■ canceling: 4 hosts still run, SIGKILL in 0:08"
    (line,) = waiting_lines(task, START + grace, hosts, grace)
    assert plain(line) == ("■ canceling: 4 hosts have not proven yet that all processes are gone")


async def test_the_head_of_an_ended_rollout_keeps_the_failures(fleet: FakeOperator) -> None:
    task = await held_task(fleet)
    detail = await fleet.get_task(task.task_id)
    ended = replace(
        task, status=fleet.tasks[1].row.status, hold=None,
        rollout=RolloutProgress(2, 3, 0, 0, 3, 2, 0),
    )  # fmt: skip
    lines = [plain(line) for line in task_head(replace(detail, task=ended), START, 80)]
    assert lines[-1].endswith("   batch 2 of 3   budget 3 of 2 used")


async def test_lists_have_batches_only_if_a_task_has_them(fleet: FakeOperator) -> None:
    without = [task.row for task in fleet.tasks.values()]
    assert all(column.key != "batch" for column in columns_for(COLUMNS, without))
    task = await held_task(fleet)
    large = replace(task, rollout=RolloutProgress(1234, 10_000, 8766, 0, 0, None, 0))
    columns = {column.key: column for column in columns_for(COLUMNS, [*without, large])}
    assert columns["batch"].width == len("10000/10000")
    for row, text in ((without[0], ""), (task, "1/3"), (large, "1234/10000")):
        assert plain(task_cell(row, "batch", columns["batch"].width, START)).strip() == text
    assert plain(task_cell(task, "bar", 12, START)) == "on hold"
    assert plain(task_cell(replace(task, paused=True), "bar", 12, START)) == "paused"
    assert plain(task_cell(task, "left", 6, START)) == ""


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.BUDGET_SPENT, "skipped: too many hosts have failed"),
        (Reason.HOLD_EXPIRED, "skipped: nobody resumed the task in time"),
        (Reason.MAINTENANCE, "skipped: in maintenance at its turn"),
    ],
)
async def test_why_a_host_was_skipped(fleet: FakeOperator, reason: Reason, text: str) -> None:
    task = await held_task(fleet)
    row: CommandHost = fleet.tasks[task.task_id].rows[fleet.execution(task.task_id, "web02")]
    skipped = replace(row, status=CommandHostStatus.SKIPPED, reason=reason)
    assert command_host_text(skipped) == text
    assert command_host_text(row) == "waits in batch 2"
