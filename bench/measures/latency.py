"""One command on one host of a quiet fleet: how long, and where the time goes."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure, percentile
from bench.swarm.emulated_command import Work
from bench.under_test.fleet import Fleet
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.operator.watching import watching


@dataclass(frozen=True, slots=True)
class Course:
    """One command: moments on the monotonic clock, ns."""

    asked: int
    committed: int
    received: int
    told: int
    acknowledged: int
    seen: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the way, and how many commits it cannot do without."""

    key: str
    what: str
    begins: str
    ends: str
    commits: int


STAGES = (
    Stage("start", "start: asked to answered", "asked", "committed", 1),
    Stage("arrive", "asked to received by the agent", "asked", "received", 2),
    Stage("gather", "the agent's part, nothing to run", "received", "told", 0),
    Stage("store", "report to acknowledgement", "told", "acknowledged", 1),
    Stage("see", "acknowledgement to seen by a watcher", "acknowledged", "seen", 0),
    Stage("whole", "asked to seen", "asked", "seen", 3),
)


async def latency(fleet: Fleet, rounds: int, commits: Sequence[float]) -> list[Figure]:
    """`commits` are the seconds of bare ones. The fleet must be traced."""
    courses = await _go(fleet, rounds)
    commit = statistics.median(commits)
    figures = []
    for stage in STAGES:
        taken = [
            (getattr(course, stage.ends) - getattr(course, stage.begins)) / 1e6
            for course in courses
        ]
        for share in (0.5, 0.99):
            figures.append(
                fleet.figure(
                    f"latency_{stage.key}_p{100 * share:.0f}",
                    f"{stage.what}, p{100 * share:.0f}",
                    percentile(taken, share),
                    "ms",
                    1000 * commit * stage.commits or None,
                    _floor(stage.commits),
                )
            )
    return figures


def _floor(commits: int) -> str:
    if not commits:
        return ""
    return "a bare commit" if commits == 1 else f"{commits} bare commits"


async def _go(fleet: Fleet, rounds: int) -> list[Course]:
    await fleet.swarm.trace()
    asked = [await _one(fleet) for _ in range(rounds)]
    trace = await fleet.swarm.trace()
    return [
        Course(began, committed, (at := trace[execution]).received, at.told, at.acknowledged, seen)
        for execution, began, committed, seen in asked
    ]


async def _one(fleet: Fleet) -> tuple[str, int, int, int]:
    """Its execution's id; when it was asked for, committed, and seen to have ended, by a watcher of
    its own as `tui-manager run` has one."""
    operator = fleet.operator
    task_id = await operator.create_task(TaskSpec("h00000", (CommandSpec(Work().text),)))
    began = time.monotonic_ns()
    await operator.start_task(task_id)
    committed = time.monotonic_ns()
    async with watching(operator) as changes:
        async for _ in changes:
            if (await operator.get_task_status(task_id)).ended:
                break
    seen = time.monotonic_ns()
    page = await operator.list_command_hosts(task_id, Window(limit=1))
    return page.rows[0].execution_id, began, committed, seen
