"""All benchmarks of a run, each group in the setting that it needs."""

import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import MTLS, Figure
from bench.floors import rows
from bench.floors.echo import Echo, measure_echo
from bench.measures import (
    agent_on_host,
    connecting,
    idle,
    key_to_screen,
    latency,
    line_to_screen,
    output_volume,
    run_command,
    short_commands,
)
from bench.measures.engines import engines as both_engines
from bench.measures.files import files as copied_files
from bench.measures.long_history import Results, long_history
from bench.process_memory import memory_of
from bench.scale import Scale
from bench.screen.dashboard import dashboard
from bench.swarm.swarm import processes_for, swarm
from bench.under_test.fleet import CONNECT_WITHIN, Fleet, fleet
from bench.under_test.real_agents import real_fleet

_COMMITS = 100  # at most, of which the seconds are taken
_CLIENTS = 20  # commands of an operator, at most
_STARTS = 40  # processes of the floor under supervisors
_QUIET = 10  # agents of the fleet in which latency is taken

Found = dict[str, list[Figure]]  # by benchmark
Group = Callable[[Scale, "Floors", Sequence[str]], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Floors:
    """What is measured once of the bare machine: a second each, and the seconds of commits."""

    results: float
    output: float
    commits: Sequence[float]


def measure_floors(scale: Scale) -> Floors:
    """On the disk on which the managers of this run will work."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        return Floors(
            results=rows.results_per_second(folder, scale.bare_results),
            output=rows.bytes_per_second(folder, scale.bare_bytes),
            commits=rows.commit_seconds(folder, min(_COMMITS, scale.bare_results)),
        )


async def fleets(scale: Scale, floors: Floors, securities: Sequence[str]) -> Found:
    """Everything that grows with the number of agents, for each of the sizes. The smaller ones show
    the growth, for which one security is enough."""
    found: Found = {}
    for security in securities:
        for agents in scale.sizes if security == securities[-1] else scale.sizes[-1:]:
            echo = await measure_echo(
                agents, security, processes_for(agents), scale.look, scale.rush
            )
            async with fleet(agents, security) as started:
                for name, figures in (await _one_fleet(started, scale, floors, echo)).items():
                    found.setdefault(name, []).extend(figures)
    return found


async def _one_fleet(started: Fleet, scale: Scale, floors: Floors, echo: Echo) -> Found:
    before = memory_of(started.manager.running)
    bare = short_commands.Bare(echo, floors.results)
    connect = await connecting.connect(started, echo)
    found = {
        "idle": await idle.idle(started, echo, before, scale.settle, scale.look),
        "commands": await short_commands.commands(started, bare, scale.results, scale.tasks),
        "output": [
            figure
            for one in scale.volumes
            if one.agents == started.agents
            for figure in await output_volume.volume(started, one.size, one.times, floors.output)
        ],
    }
    if started.agents == scale.with_stdin:
        found["input"] = await output_volume.inputs(started)
    # Last: it ends the manager that the others measured.
    found["arrival"] = [*connect, *await connecting.restart(started, echo)]
    return found


async def output(scale: Scale, floors: Floors, securities: Sequence[str]) -> Found:
    """The volumes that no fleet of the sizes measures. The last security is enough: output is
    measured without TLS in the largest fleet."""
    alone = [one for one in scale.volumes if one.agents not in scale.sizes]
    found: list[Figure] = []
    for one in alone:
        async with fleet(one.agents, securities[-1]) as started:
            await started.swarm.dial(CONNECT_WITHIN)
            found += await output_volume.volume(started, one.size, one.times, floors.output)
    return {"output": found}


async def single(scale: Scale, floors: Floors, securities: Sequence[str]) -> Found:
    """One command at a time, stage by stage."""
    found: list[Figure] = []
    for security in securities:
        async with fleet(_QUIET, security, traced=True) as started:
            await started.swarm.dial(CONNECT_WITHIN)
            found += await latency.latency(started, scale.rounds, floors.commits)
    return {"latency": found}


async def screen(scale: Scale, floors: Floors, securities: Sequence[str]) -> Found:
    """The dashboard, first with one real agent, then with many emulated ones. Of several securities
    the last one is enough: the screen's thread has nothing of it."""
    async with dashboard(MTLS, 0) as shown:
        found = await line_to_screen.lines(shown, scale.lines, floors.commits)
    async with (
        dashboard(securities[-1], scale.screen) as shown,
        swarm(shown.address, scale.screen, shown.credentials) as started,
    ):
        await started.dial(CONNECT_WITHIN)
        found += await key_to_screen.keys(shown, scale.screen, scale.presses, scale.settle)
    return {"screen": found}


async def history(scale: Scale, _floors: Floors, _securities: Sequence[str]) -> Found:
    """A database with a past."""
    beside = Results(scale.sizes[0], scale.results)
    return {"history": await long_history(scale.history, scale.queries, beside)}


async def engines(scale: Scale, _floors: Floors, _securities: Sequence[str]) -> Found:
    """PostgreSQL instead of SQLite."""
    found: list[Figure] = []
    for agents in scale.engines:
        found += await both_engines(agents, scale.results // 2)
    return {"engines": found}


async def hosts(scale: Scale, _floors: Floors, _securities: Sequence[str]) -> Found:
    """What a real host pays, and what its operator pays for a command there."""
    bare = agent_on_host.starts(min(_STARTS, scale.host_commands))
    async with real_fleet(1) as started:
        return {
            "host": [
                *await agent_on_host.idle_agent(started, scale.settle, scale.host_look),
                *await agent_on_host.supervisor(started, scale.host_commands, bare),
                await run_command.client(started, min(_CLIENTS, scale.host_commands)),
            ]
        }


async def files(scale: Scale, _floors: Floors, _securities: Sequence[str]) -> Found:
    """A file to real hosts."""
    async with real_fleet(scale.file_hosts) as started:
        return {"files": await copied_files(started, scale.file_bytes)}


def floor_figures(floors: Floors) -> list[Figure]:
    """The floors themselves, as a benchmark of the machine."""
    commit = 1000 * statistics.median(floors.commits)
    return [
        Figure(key="floor_results", what="bare SQLite", value=floors.results, unit="results/s"),
        Figure(key="floor_output", what="bare SQLite", value=floors.output / 1e6, unit="MB/s"),
        Figure(key="floor_commit", what="bare SQLite, one row", value=commit, unit="ms"),
    ]


GROUPS: dict[str, Group] = {
    "single": single,
    "output": output,
    "hosts": hosts,
    "files": files,
    "history": history,
    "engines": engines,
    "screen": screen,
    "fleets": fleets,
}
