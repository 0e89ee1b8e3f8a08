"""A manager of two is killed under load: how long until all its hosts work for the other."""

import asyncio
import time

from bench.figures import Figure
from bench.managers.system import LISTEN_NOTIFY, System, system, until_all_are_seen
from bench.measures.short_commands import SHORT
from bench.swarm.emulated_command import Work
from bench.under_test.fleet import CONNECT_WITHIN, WrongOutcomeError, wait_until_ended
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.operator.api import Operator

LEASE = 10.0  # seconds, of the leader
_LOOK_EVERY = 0.05  # seconds
_GIVE_UP = 120.0  # seconds
_LASTS = 5  # seconds of a command that runs when the manager is killed


async def measure(agents: int) -> list[Figure]:
    """Kills the leader, and in another run the other one."""
    return [*await _kill(agents, leader=True), *await _kill(agents, leader=False)]


async def _kill(agents: int, *, leader: bool) -> list[Figure]:
    who = "the leader" if leader else "the other one"
    async with system(2, agents, LISTEN_NOTIFY) as made:
        await made.swarm.dial(CONNECT_WITHIN)
        await until_all_are_seen(made)
        victim = await made.leader() if leader else 1 - await made.leader()
        survivor = made.operators[1 - victim]
        spec = TaskSpec(
            "@all", (CommandSpec(Work(seconds=_LASTS).text), CommandSpec(SHORT)), created_by="bench"
        )
        task_id = await survivor.create_task(spec)
        await survivor.start_task(task_id)
        await _until_all_run(survivor, task_id, agents)
        killed = time.monotonic()
        await made.managers[victim].kill()
        arrival = await made.swarm.online(killed, _GIVE_UP)
        ended = await _until_ended(made, 1 - victim, task_id) - killed
        began = time.monotonic()
        made_after = await survivor.create_task(TaskSpec("@all", (CommandSpec(SHORT),)))
        await survivor.start_task(made_after)
        works = await _until_ended(made, 1 - victim, made_after) - killed
        again = time.monotonic() - began
        return [
            made.figure(
                "killed_back", f"{who} is killed: all hosts are back", arrival.seconds[-1], "s",
                LEASE + 10, "lease + 10 s",
            ),
            made.figure("killed_ended", f"{who} is killed: the task that ran ends", ended, "s"),
            made.figure(
                "killed_works", f"{who} is killed: a new command has run on all", works, "s",
                LEASE + 10, "lease + 10 s",
            ),
            made.figure("killed_command", f"{who} is killed: that command", again, "s"),
        ]  # fmt: skip


async def _until_all_run(operator: Operator, task_id: int, count: int) -> None:
    while True:
        if (await operator.get_task(task_id)).task.counts.running == count:
            return
        await asyncio.sleep(_LOOK_EVERY)


async def _until_ended(made: System, manager: int, task_id: int) -> float:
    """When the task has ended, monotonic seconds. Raises WrongOutcomeError if it has failed."""
    operator = made.operators[manager]
    async with asyncio.timeout(_GIVE_UP):
        await wait_until_ended(operator, task_id)
    ended = time.monotonic()
    task = (await operator.get_task(task_id)).task
    if task.status is not TaskStatus.COMPLETED:
        raise WrongOutcomeError(f"Task {task_id} is {task.status}: {task.counts}")
    return ended
