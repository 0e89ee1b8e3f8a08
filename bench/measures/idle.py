"""What agents cost the manager that have nothing to do but to be there."""

import asyncio
import math

from bench.figures import Figure
from bench.floors.echo import HEARTBEAT, Echo
from bench.process_memory import CpuMeter, memory_of
from bench.under_test.fleet import Fleet
from tui_manager.service.core.heartbeat import FleetHeartbeat
from tui_manager.service.limits import Limits


async def idle(
    fleet: Fleet, echo: Echo, memory_before: int, settle: float, seconds: float
) -> list[Figure]:
    """Looks at agents that are online.

    Args:
        memory_before: bytes of the manager before they dialed.
        settle: seconds until the look, which takes `seconds`, or more where agents beat less often.
    """
    beat = _heartbeat_of(fleet.agents)
    if beat > HEARTBEAT:
        settle += beat / 2  # by then nearly all are told so, and the others beat more often
        seconds = math.ceil(seconds / beat) * beat
    await asyncio.sleep(settle)
    pid = fleet.manager.running
    meter = CpuMeter(pid)
    await asyncio.sleep(seconds)
    share = meter.share
    each = (memory_of(pid) - memory_before) / fleet.agents
    return [
        fleet.figure(
            "idle_cpu",
            "idle: CPU of the manager",
            100 * share,
            "% of a core",
            100 * echo.idle_share,
            f"bare echo, a message each {HEARTBEAT:g} s",
        ),
        fleet.figure(
            "idle_memory",
            "idle: memory an agent",
            each / 1000,
            "kB",
            echo.bytes_per_stream / 1000,
            "bare echo",
        ),
    ]


def _heartbeat_of(agents: int) -> float:
    """Seconds between two beats of each of so many agents."""
    limits = Limits()
    heartbeats = FleetHeartbeat(limits.heartbeat, limits.lost_after)
    heartbeats.update(agents)
    return heartbeats.current.total_seconds()
