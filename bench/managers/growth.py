"""What more managers bring, and what they cost: connecting, a command on all, idle."""

import asyncio
import statistics
import time
from collections.abc import Sequence

from bench.chart import Axis, Line, Panel, draw
from bench.figures import Figure
from bench.managers.system import System, system, until_all_are_seen
from bench.measures.short_commands import SHORT
from bench.under_test.fleet import CONNECT_WITHIN

_PANELS = (
    ("managers_connect", "all agents connected, seconds"),
    ("managers_command", "a short command on all, seconds"),
    ("managers_rate", "short commands one after another, results committed a second"),
    ("managers_cpu", "CPU of all managers a command, ms"),
    ("managers_idle", "idle: CPU of all managers, % of a core"),
)
_FAN_OUTS = 3
_ALL_WITHIN = 900.0  # seconds until as many agents as possible are connected
_WAITING = 400  # of those, the most that wait to be welcomed at one time


async def measure(
    managers: int, agents: int, change_feed: str, each: int, idle: float
) -> list[Figure]:
    """All figures of one number of managers.

    Args:
        each: commands on each host, one after another.
        idle: seconds in which nothing runs.
    """
    async with system(managers, agents, change_feed) as made:
        arrival = await made.swarm.dial(CONNECT_WITHIN)
        await until_all_are_seen(made)
        shares = await made.hosts_of()
        return [
            made.figure("managers_connect", "all connected", arrival.seconds[-1], "s"),
            made.figure("managers_share", "most hosts on one", max(shares), "hosts"),
            *await _commands(made, each),
            *await _idle(made, idle),
        ]


async def most(managers: int, agents: int, idle: float) -> list[Figure]:
    """As many agents as the machine holds: all connected, idle, and one command on all. They come
    as fast as they are welcomed: so many that dial at one time would keep the machine busy with
    dials."""
    async with system(managers, agents) as made:
        arrival = await made.swarm.dial(_ALL_WITHIN, _WAITING)
        await until_all_are_seen(made)
        shares = await made.hosts_of()
        figures = [
            made.figure("managers_connect", "all connected", arrival.seconds[-1], "s"),
            made.figure("managers_share", "most hosts on one", max(shares), "hosts"),
            *await _idle(made, idle),
        ]
        ran = await made.run(SHORT)
        figure = made.figure("managers_command", "a short command on all", ran.seconds, "s")
        return [*figures, figure]


async def _commands(made: System, each: int) -> list[Figure]:
    await made.run(SHORT)  # the first one plans the statements
    seconds = statistics.median([(await made.run(SHORT)).seconds for _ in range(_FAN_OUTS)])
    managers, server = made.cpu()
    began = time.monotonic()
    ran = await made.run(*[SHORT] * each)
    passed = time.monotonic() - began
    done = ran.task.counts.completed
    managers_now, server_now = made.cpu()
    of_managers = 1000 * (managers_now - managers) / done
    of_server = 1000 * (server_now - server) / done
    return [
        made.figure("managers_command", "a short command on all", seconds, "s"),
        made.figure("managers_rate", f"{each} commands on each", done / passed, "commands/s"),
        made.figure("managers_cpu", "CPU of the managers a command", of_managers, "ms"),
        made.figure("server_cpu", "CPU of PostgreSQL a command", of_server, "ms"),
    ]


async def _idle(made: System, seconds: float) -> list[Figure]:
    await asyncio.sleep(seconds / 2)  # by then most agents know how often they beat
    managers, server = made.cpu()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    managers_now, server_now = made.cpu()
    of_managers = 100 * (managers_now - managers) / passed
    of_server = 100 * (server_now - server) / passed
    return [
        made.figure("managers_idle", "idle: CPU of the managers", of_managers, "% of a core"),
        made.figure("server_idle", "idle: CPU of PostgreSQL", of_server, "% of a core"),
    ]


def plot(figures: Sequence[Figure]) -> str:
    """The figures over the number of managers, as SVG."""
    most = max((int(figure.note) for figure in figures), default=1)
    ticks = [(float(count), str(count)) for count in range(most + 1)]
    panels = [Panel(title, _lines(key, figures)) for key, title in _PANELS]
    return draw("What grows with the number of managers", panels, Axis(most, ticks))


def _lines(key: str, figures: Sequence[Figure]) -> list[Line]:
    lines: dict[str, list[tuple[float, float | None]]] = {}
    for figure in sorted(figures, key=lambda figure: int(figure.note)):
        if figure.key == key:
            name = f"{figure.agents:,} agents"
            lines.setdefault(name, []).append((float(figure.note), figure.value))
    return [Line(name, points) for name, points in lines.items()]
