"""Short commands through the whole manager: one on all hosts, many in a row, many small tasks."""

import asyncio
import statistics
import time
from dataclasses import dataclass

from bench.figures import Figure
from bench.floors.echo import Echo
from bench.process_memory import CpuMeter
from bench.swarm.emulated_command import Work
from bench.under_test.fleet import Fleet, run
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.operator.api import Operator

SHORT = Work(size=40).text  # what `true` costs, and a line
_FAN_OUTS = 3  # at most: of a large fleet fewer
_TASKS_AT_ONCE = 8
_IN_FLIGHT = 16  # small tasks that are being made at once
_MOST_COMMANDS = 100  # of a task
_LOOK_EVERY = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Bare:
    """What stands under commands: round trips, and results into a bare file; a second."""

    echo: Echo
    results: float


async def commands(fleet: Fleet, bare: Bare, results: int, tasks: int) -> list[Figure]:
    """`results` is how many command hosts the sustained run has, `tasks` how many small tasks."""
    return [
        *await _fan_out(fleet, bare, max(1, min(_FAN_OUTS, results // fleet.agents // 2))),
        *await _sustained(fleet, bare, results),
        await _at_once(fleet, bare, results),
        await _small_tasks(fleet, tasks),
    ]


async def _fan_out(fleet: Fleet, bare: Bare, times: int) -> list[Figure]:
    seconds = [(await fleet.run(SHORT)).seconds for _ in range(times)]
    median = statistics.median(seconds)
    return [
        fleet.figure("fan_out_seconds", "a short command on all", median, "s"),
        fleet.figure(
            "fan_out_rate",
            "a short command on all",
            fleet.agents / median,
            "commands/s",
            bare.echo.rounds_per_second,
            "bare echo",
        ),
    ]


async def _sustained(fleet: Fleet, bare: Bare, results: int) -> list[Figure]:
    each = max(1, min(_MOST_COMMANDS, results // fleet.agents))
    meter = CpuMeter(fleet.manager.running)
    ran = await fleet.run(*[SHORT] * each)
    used = meter.seconds
    done = ran.task.counts.completed
    rate = done / ran.seconds
    echo = bare.echo.rounds_per_second
    what = f"{each} commands on each, one after another"
    return [
        fleet.figure("command_rate", what, rate, "commands/s", echo, "bare echo"),
        fleet.figure("result_rate", what, rate, "results/s", bare.results, "bare SQLite"),
        fleet.figure("command_cpu", "manager's CPU a command", 1000 * used / done, "ms"),
    ]


async def _at_once(fleet: Fleet, bare: Bare, results: int) -> Figure:
    """The same with several tasks, so that each host has several commands under way."""
    each = max(1, min(_MOST_COMMANDS, results // fleet.agents // _TASKS_AT_ONCE))
    began = time.monotonic()
    ran = await asyncio.gather(*(fleet.run(*[SHORT] * each) for _ in range(_TASKS_AT_ONCE)))
    rate = sum(one.task.counts.completed for one in ran) / (time.monotonic() - began)
    return fleet.figure(
        "tasks_at_once_rate",
        f"{_TASKS_AT_ONCE} tasks at once, {each} commands on each",
        rate,
        "commands/s",
        bare.echo.rounds_per_second,
        "bare echo",
    )


async def _small_tasks(fleet: Fleet, tasks: int) -> Figure:
    """Tasks of one command on one host, made and started as fast as the manager takes them."""
    hosts = (await fleet.operator.preview_target("@all")).hosts
    numbers = iter(range(tasks))

    async def make() -> None:
        for number in numbers:
            spec = TaskSpec(hosts[number % len(hosts)], (CommandSpec(SHORT),), created_by="bench")
            await fleet.operator.start_task(await fleet.operator.create_task(spec))

    began = time.monotonic()
    await asyncio.gather(*(make() for _ in range(_IN_FLIGHT)))
    await _quiet(fleet)
    rate = tasks / (time.monotonic() - began)
    return fleet.figure("task_rate", "small tasks, made, run and ended", rate, "tasks/s")


async def _quiet(fleet: Fleet) -> None:
    """Waits until no task runs."""
    while True:
        if not (await fleet.operator.manager_status()).tasks_running:
            return
        await asyncio.sleep(_LOOK_EVERY)


async def keep_answering(operator: Operator) -> None:
    """Lets all agents answer, task after task, until it is cancelled."""
    while True:
        await run(operator, "@all", SHORT)
