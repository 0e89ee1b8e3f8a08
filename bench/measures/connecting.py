"""Connect and reconnect: all agents at once, at a manager that is new, and at one that is back."""

import time

from bench.figures import Figure, percentile
from bench.floors.echo import Echo
from bench.process_memory import CpuMeter
from bench.swarm.swarm import Arrival
from bench.under_test.fleet import CONNECT_WITHIN, Fleet

_FLOOR = "bare echo"


async def connect(fleet: Fleet, echo: Echo) -> list[Figure]:
    """The first contact of all agents, which registers each as a host."""
    meter = CpuMeter(fleet.manager.running)
    arrival = await fleet.swarm.dial(CONNECT_WITHIN)
    used = meter.seconds
    return [
        *_arrived(fleet, arrival, arrival.dials, "connect", "all connected", echo),
        fleet.figure("connect_cpu", "manager's CPU a connect", 1000 * used / fleet.agents, "ms"),
    ]


async def restart(fleet: Fleet, echo: Echo) -> list[Figure]:
    """The manager is killed and started again; counted from when it listens."""
    before = (await fleet.swarm.online(time.monotonic(), CONNECT_WITHIN)).dials
    await fleet.manager.kill()
    await fleet.manager.start()
    arrival = await fleet.swarm.online(time.monotonic(), CONNECT_WITHIN)
    dials = arrival.dials - before
    figures = _arrived(fleet, arrival, dials, "restart", "all back after a restart", echo)
    start = fleet.manager.start_seconds
    return [*figures, fleet.figure("restart_start", "manager's start", start, "s")]


def _arrived(
    fleet: Fleet, arrival: Arrival, dials: int, key: str, what: str, echo: Echo
) -> list[Figure]:
    seconds = arrival.seconds
    return [
        fleet.figure(f"{key}_seconds", what, seconds[-1], "s", echo.connect_seconds, _FLOOR),
        fleet.figure(f"{key}_median", f"{what}: half of them", percentile(seconds, 0.5), "s"),
        fleet.figure(
            f"{key}_dials", f"{what}: dials of each", dials / fleet.agents, "dials", 1, "one"
        ),
        fleet.figure(f"{key}_peak", f"{what}: most dials", arrival.dials_at_once, "dials/s"),
    ]
