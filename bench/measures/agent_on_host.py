"""What a host pays: an agent that has nothing to do, and the supervisor of a command."""

import asyncio
from dataclasses import dataclass

import psutil

from bench.figures import Figure
from bench.floors import spawn
from bench.process_memory import CpuMeter, cpu_of, cpu_of_children, memory_of, weigh
from bench.under_test.fleet import run
from bench.under_test.real_agents import RealFleet
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

_MB = 1e6
_LONG = "sleep 60"
_LOOK_EVERY = 0.05  # seconds
_LOOKS = 200


@dataclass(frozen=True, slots=True)
class Starts:
    """What processes cost on this machine: CPU seconds of a shell, and of a bare interpreter."""

    shell: float
    interpreter: float


def starts(times: int) -> Starts:
    """Measured over so many of each."""
    return Starts(spawn.cost(spawn.SHELL, times)[0], spawn.cost(spawn.INTERPRETER, times)[0])


async def idle_agent(fleet: RealFleet, settle: float, seconds: float) -> list[Figure]:
    """The first of the agents, over `seconds`."""
    pid = fleet.pids[0]
    await asyncio.sleep(settle)
    meter = CpuMeter(pid)
    await asyncio.sleep(seconds)
    share, weight = meter.share, weigh(pid)
    assert weight
    return [
        _figure("agent_pss", "an idle agent: PSS", weight.memory / _MB, "MB"),
        _figure("agent_rss", "an idle agent: RSS, its PSS alone on a host", weight.rss / _MB, "MB"),
        _figure("agent_cpu", "an idle agent: CPU", 1000 * share, "ms/s"),
    ]


async def supervisor(fleet: RealFleet, commands: int, bare: Starts) -> list[Figure]:
    """What a command costs beyond the command itself, over so many of them."""
    pid = fleet.pids[0]
    await run(fleet.operator, "h000", "true")  # which starts the fork server
    (server,) = psutil.Process(pid).children()
    own, children = cpu_of(pid), _cpu_with_children(server.pid)
    ran = await run(fleet.operator, "h000", *["true"] * commands)
    agents = (cpu_of(pid) - own) / commands
    started = (_cpu_with_children(server.pid) - children) / commands
    task_id = await fleet.operator.create_task(TaskSpec("h000", (CommandSpec(_LONG),)))
    await fleet.operator.start_task(task_id)
    memory = memory_of(await _supervisor_of(server))
    await fleet.operator.cancel_task(task_id)
    floor = 1000 * bare.shell
    beyond, interpreter = 1000 * (started - bare.shell), 1000 * bare.interpreter
    return [
        _figure("command_processes", "a command: CPU it starts", 1000 * started, "ms", floor, "sh"),
        _figure(
            "supervisor_cpu", "its supervisor: CPU", beyond, "ms", interpreter, "bare interpreter"
        ),
        _figure("supervisor_pss", "its supervisor: PSS", memory / _MB, "MB"),
        _figure("fork_server_pss", "what forks it: PSS", memory_of(server.pid) / _MB, "MB"),
        _figure("agent_command_cpu", "the agent itself: CPU a command", 1000 * agents, "ms"),
        _figure("command_seconds", "a command after another", 1000 * ran.seconds / commands, "ms"),
    ]


def _cpu_with_children(pid: int) -> float:
    return cpu_of(pid) + cpu_of_children(pid)


async def _supervisor_of(server: psutil.Process) -> int:
    """The supervisor that a fork server has started, once a shell runs under it."""
    for _ in range(_LOOKS):
        for child in server.children():
            if child.children():
                return child.pid
        await asyncio.sleep(_LOOK_EVERY)
    raise ProcessLookupError(f"The fork server {server.pid} has started no supervisor.")


def _figure(
    key: str, what: str, value: float, unit: str, floor: float | None = None, floor_of: str = ""
) -> Figure:
    return Figure(key=key, what=what, value=value, unit=unit, floor=floor, floor_of=floor_of)
