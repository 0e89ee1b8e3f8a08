"""What an operator waits for: `tui-manager run`, the whole process, with a manager that is warm."""

import asyncio
import statistics
import time

from bench.figures import MTLS, Figure
from bench.floors import spawn
from bench.under_test.manager_process import program
from bench.under_test.real_agents import RealFleet


async def client(fleet: RealFleet, times: int) -> Figure:
    """The median of so many, in turn with the floor."""
    taken, bare = [], []
    for _ in range(times):
        taken.append(await _run(fleet))
        bare.append(await asyncio.to_thread(spawn.seconds, spawn.OF_CLIENT))
    return Figure(
        key="run_seconds",
        what="`run HOST -- true`: the whole process",
        value=1000 * statistics.median(taken),
        unit="ms",
        agents=len(fleet.pids),
        security=MTLS,
        floor=1000 * statistics.median(bare),
        floor_of="an interpreter that imports grpc and the operator's generated code",
    )


async def _run(fleet: RealFleet) -> float:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(str(program()), "run", "--state-dir", str(fleet.manager.state_dir)),
        *("h000", "--", "true"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env=fleet.manager.environment,
    )
    if status := await process.wait():
        raise RuntimeError(f"`tui-manager run` ended with status {status}.")
    return time.monotonic() - began
