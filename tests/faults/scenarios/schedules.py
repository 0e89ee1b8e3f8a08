"""Schedules whose manager dies when they are due."""

import contextlib
import itertools
import random
from datetime import UTC, datetime, timedelta

from tests.faults.checks.checker import check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.keeping import kept_alive
from tests.faults.scenarios.running import all_ended, new_fleet, scenario
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import Overlap, ScheduleSpec
from tui_manager.domain.task_files.task_file import TaskFile
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.task_spec import TaskSpec

_CRON = "* * * * * *"
_LAST_STATEMENT = 40  # of those that start two tasks
DUE_TASKS = "SELECT id FROM tasks WHERE created_by LIKE 'schedule:%' ORDER BY id"
_UNENDED = "SELECT count(*) FROM tasks WHERE status IN ('pending', 'running')"


@scenario("the manager killed when a schedule is due")
async def killed_when_due(seed: str) -> None:
    dice = random.Random(seed)
    async with new_fleet(seed, "h1") as fleet, kept_alive(fleet):
        for overlap in Overlap:
            await add_schedule(fleet, overlap)
        statements = [dice.randint(1, _LAST_STATEMENT) for _ in range(3)]
        for point, count in (
            ("before.commit", 1),
            ("after.commit", 1),
            *(("statement", count) for count in statements),
        ):
            await _dies(fleet, point, count)
        for overlap in Overlap:
            await _paused(fleet, overlap)
        await all_ended(fleet, *(row["id"] for row in fleet.rows(DUE_TASKS)))
        for overlap in Overlap:
            compare_due_times(fleet, overlap)
        check(fleet)


async def add_schedule(fleet: Fleet, overlap: Overlap) -> None:
    """A schedule with this word as its name, which is due each second."""
    text = write_task_file(TaskFile(TaskSpec("h1", (command(20, step=0.2),))))
    spec = ScheduleSpec(overlap, _CRON, "UTC", overlap, task_file=text)
    await fleet.ask(lambda operator: operator.add_schedule(spec))


async def _dies(fleet: Fleet, point: str, count: int) -> None:
    """A task more is started and has ended, and the manager dies in what it writes next: that is
    about the next due time."""
    before = len(fleet.rows(DUE_TASKS))
    await fleet.wait("another task", lambda: len(fleet.rows(DUE_TASKS)), lambda seen: seen > before)
    await fleet.wait("its end", lambda: not fleet.number(_UNENDED))
    leader = fleet.leader().node
    process = leader.process
    fleet.note(f"{leader.name} dies at {point}, time {count}")
    leader.arm(point, count)
    await fleet.wait("the death", lambda: leader.process is not process)


async def _paused(fleet: Fleet, name: str) -> None:
    with contextlib.suppress(IllegalMoveError):  # the manager has died after it
        await fleet.ask(lambda operator: operator.pause_schedule(name))


def compare_due_times(fleet: Fleet, name: str) -> None:
    """Each due time is in one row, and each task is in one."""
    (schedule,) = fleet.rows("SELECT * FROM schedules WHERE name = ?", name)
    runs = fleet.rows("SELECT * FROM schedule_runs WHERE schedule = ? ORDER BY due", schedule["id"])
    tasks = fleet.rows("SELECT id FROM tasks WHERE created_by = ? ORDER BY id", f"schedule:{name}")
    assert [row["id"] for row in tasks] == [
        run["task_id"] for run in sorted(runs, key=lambda run: run["due"]) if run["task_id"]
    ], fleet.explain()
    dues = [(run["first_due"] or run["due"], run["due"], run["count"]) for run in runs]
    for before, after in itertools.pairwise(dues):
        assert before[1] < after[0], f"{dues}\n{fleet.explain()}"
    begin, end = (_instant(schedule[column]) for column in ("created_at", "handled_until"))
    expected = read_cron(_CRON, "UTC").count_due(begin, end)
    assert sum(count for *_, count in dues) == expected, f"{dues}\n{fleet.explain()}"


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
