"""The steps of a task on its screen, and where the task comes from."""

from dataclasses import replace

import pytest

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.ui.conftest import Running, press, shown
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure, TaskSpec
from tui_manager.domain.tasks.task import Command, Counts, RolloutProgress, Task, TaskDetail
from tui_manager.ui.drawing.spans import plain, width_of
from tui_manager.ui.tasks.lists.all_tasks_table import WIDE_COLUMNS, task_cell
from tui_manager.ui.tasks.one_task.task_head import task_head
from tui_manager.ui.tasks.one_task.task_steps import step_lines

SCRIPT = content_of(b"#!/bin/sh\nexit 0\n")
COMPLETED, RUNNING, PENDING = (
    CommandHostStatus.COMPLETED, CommandHostStatus.RUNNING, CommandHostStatus.PENDING
)  # fmt: skip
RESTART = (
    CommandSpec("drain", name="drain"),
    CommandSpec("", name="upgrade", script=SCRIPT, arguments=("2.4", "a b"), barrier=True),
    CommandSpec("check", name="check", on_failure=OnFailure.CONTINUE, stdin=content_of(b"x" * 9)),
    CommandSpec("undrain", name="undrain", always=True),
)


def steps(*states: tuple[CommandHostStatus, Counts]) -> tuple[Command, ...]:
    return tuple(
        Command(number, spec, status, counts)
        for number, (spec, (status, counts)) in enumerate(zip(RESTART, states, strict=True))
    )


UNDER_WAY = steps(
    (COMPLETED, Counts(total=3, completed=3)),
    (RUNNING, Counts(total=3, running=1, completed=1, failed=1)),
    (RUNNING, Counts(total=3, pending=2, skipped=1)),
    (PENDING, Counts(total=3, pending=3)),
)


def test_each_step_has_its_name_its_counts_and_its_rules() -> None:
    assert [plain(line) for line in step_lines(UNDER_WAY, 80)] == [
        "#1 ✔ drain    3✔        drain   timeout 1h",
        "#2 ▶ upgrade  1✔ 1✘ 1▶  script of 17 B 2.4 a…   waits for all hosts   timeout 1h",
        "#3 ▶ check    1⤼ 2◌     check   may fail   stdin 9 bytes   timeout 1h",
        "#4 ◌ undrain  3◌        undrain   always runs   timeout 1h",
    ]


def test_of_many_steps_those_are_shown_where_the_task_is() -> None:
    one = Command(0, CommandSpec("true"), COMPLETED, Counts(total=1, completed=1))
    many = tuple(
        replace(one, index=number, status=COMPLETED if number < 50 else PENDING)
        for number in range(100)
    )
    lines = [plain(line) for line in step_lines(many, 80)]
    assert [line[:4] for line in lines[:-1]] == ["#50 ", "#51 ", "#52 ", "#53 "]
    assert lines[-1] == "   and 49 before, 47 after"
    ended = tuple(replace(step, status=COMPLETED) for step in many)
    assert plain(step_lines(ended, 80)[-1]) == "   and 96 after"
    for room in range(6):
        assert len(step_lines(many, 80, room)) == min(room, 5)
        assert len(step_lines(UNDER_WAY, 80, room)) == min(room, 4)
    assert plain(step_lines(many, 80, 1)[0]).startswith("#51 ◌")
    assert plain(step_lines(UNDER_WAY, 80, 2)[1]) == "   and 1 before, 2 after"


def test_a_name_with_brackets_and_escapes_is_text_and_is_shortened() -> None:
    spec = CommandSpec("true", name="[b]\x1b[31m" + "备份" * 30)
    two = (
        Command(0, spec, PENDING, Counts()),
        Command(1, CommandSpec("x" * 500), PENDING, Counts()),
    )
    for line in step_lines(two, 80):
        assert "\x1b" not in plain(line)
        assert width_of(line) <= 80


def test_a_single_script_says_so() -> None:
    one = (Command(0, RESTART[1], PENDING, Counts()),)
    (line,) = step_lines(one, 100)
    assert plain(line) == "script of 17 B 2.4 a b   waits for all hosts   timeout 1h"


async def made(fleet: FakeOperator, name: str = "restart") -> Task:
    task_id = await fleet.create_task(TaskSpec("role=web", RESTART[:1] + RESTART[2:], name))
    await fleet.start_task(task_id)
    return fleet.tasks[task_id].row


async def test_the_head_says_which_template_and_which_schedule(fleet: FakeOperator) -> None:
    task = replace(
        await made(fleet),
        template=TemplateVersion("restart", 3),
        created_by="schedule:nightly",
        rerun_of=2,
    )
    head = [plain(line) for line in task_head(TaskDetail(task, UNDER_WAY), START, 80)]
    facts = "role=web by schedule nightly 14:03:22   template restart@3   re-run of #2"
    assert head[1] == facts
    column = next(column for column in WIDE_COLUMNS if column.key == "by")
    assert plain(task_cell(task, column.key, column.width, START)) == "nightly"


async def test_a_long_name_leaves_room_for_its_state(fleet: FakeOperator) -> None:
    task = replace(await made(fleet, "x" * 200), created_by="schedule:nightly")
    for width in (24, 40, 80, 200):
        head = task_head(TaskDetail(task, UNDER_WAY), START, width)[0]
        assert "▶ running 0:00" in plain(head)
        assert width_of(head) <= width


async def test_hosts_at_a_barrier_are_counted(fleet: FakeOperator) -> None:
    rollout = RolloutProgress(1, 1, 0, 2, 0, None, 0, hosts_at_barrier=5)
    task = replace(await made(fleet), rollout=rollout)
    assert "   5 at a barrier" in plain(task_head(TaskDetail(task, UNDER_WAY), START, 80)[-1])
    none = replace(task, rollout=replace(rollout, hosts_at_barrier=0))
    assert "at a barrier" not in plain(task_head(TaskDetail(none, UNDER_WAY), START, 80)[-1])


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_screen_of_a_task_shows_its_steps(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    await made(fleet)
    async with running(fleet, size) as pilot:
        await press(pilot, "home", "enter")
        screen = shown(pilot)
        assert "#1 ◌ drain" in screen  # no host has begun it
        assert "always runs" in screen


def test_a_step_without_a_name_among_others_shows_what_it_runs() -> None:
    named, unnamed = UNDER_WAY[1], replace(UNDER_WAY[3], spec=CommandSpec("true"))
    lines = [plain(line) for line in step_lines((named, unnamed), 80)]
    assert lines[1] == "#4 ◌ true     3◌        true   timeout 1h"
