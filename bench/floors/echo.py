"""The floor under streams: what a bare grpc.aio echo does with as many of them."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import MTLS
from bench.floors import certificates, echo_server, echo_streams
from bench.process_memory import CpuMeter, memory_of
from bench.under_test.helper_processes import Worker, ask_all, crew, worker

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


async def measure_echo(count: int, security: str, processes: int, look: float, rush: float) -> Echo:
    """Looks for `look` seconds at streams that only beat, and for `rush` at full speed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        options = (folder,) if security == MTLS else ()
        if options:
            certificates.issue(Path(folder))
        async with worker(echo_server.__name__, *options) as server:
            address = await server.ask("address")
            before = memory_of(server.pid)
            async with crew(echo_streams.__name__, address, count, processes, *options) as streams:
                return await _measure(server.pid, before, streams, count, look, rush)


async def _measure(
    server: int, before: int, streams: Sequence[Worker], count: int, look: float, rush: float
) -> Echo:
    began = time.monotonic()
    opened = await ask_all(streams, "dial")
    connected = max(at for each in opened for at in each) - began
    await asyncio.sleep(_SETTLE)
    memory = (memory_of(server) - before) / count
    meter = CpuMeter(server)
    await ask_all(streams, "beats", look, HEARTBEAT)
    idle = meter.share
    began = time.monotonic()
    rounds = sum(await ask_all(streams, "rounds", rush))
    return Echo(connected, memory, idle, rounds / (time.monotonic() - began))
