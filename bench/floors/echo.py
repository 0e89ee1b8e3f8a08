"""The floor under streams: what a bare grpc.aio echo does with as many of them."""

import asyncio
import time
from dataclasses import dataclass

from bench.floors import echo_server, echo_streams
from bench.weight import CpuMeter, memory_of
from bench.workers import ask_all, crew, worker

HEARTBEAT = 5.0  # seconds: the manager's own
_SETTLE = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Echo:
    """Of one number of streams.

    Attributes:
        connect_seconds: until each had made a round trip, all dialing at once.
        bytes_per_stream: memory of the server.
        idle_share: of a core, with a message a stream every HEARTBEAT seconds.
        rounds_per_second: of all streams together, each as fast as it can.
    """

    connect_seconds: float
    bytes_per_stream: float
    idle_share: float
    rounds_per_second: float


async def measure_echo(count: int, processes: int, seconds: float) -> Echo:
    """`seconds` is the length of each of its two measurements."""
    async with worker(echo_server.__name__) as server:
        address = await server.ask("address")
        before = memory_of(server.pid)
        async with crew(echo_streams.__name__, address, count, processes) as streams:
            began = time.monotonic()
            opened = await ask_all(streams, "dial")
            connected = max(at for each in opened for at in each) - began
            await asyncio.sleep(_SETTLE)
            memory = (memory_of(server.pid) - before) / count
            meter = CpuMeter(server.pid)
            await ask_all(streams, "beats", seconds, HEARTBEAT)
            idle = meter.share
            began = time.monotonic()
            rounds = sum(await ask_all(streams, "rounds", seconds))
            return Echo(connected, memory, idle, rounds / (time.monotonic() - began))
