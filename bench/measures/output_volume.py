"""Much output into the database, and a large stdin for each host, while the manager's memory is
watched."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from bench.figures import Figure
from bench.process_memory import MIB
from bench.swarm.emulated_command import Work
from bench.under_test.fleet import Fleet
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec

_LOOK_EVERY = 0.05  # seconds


async def volume(fleet: Fleet, size: int, times: int, floor: float) -> list[Figure]:
    """`size` bytes from each agent, several times if the growth of memory is asked for.

    The first time fills caches, the last must not need more. `floor` is in bytes a second.
    """
    peaks, rates = [], []
    for _ in range(times):
        async with watched(fleet.manager.running) as seen:
            ran = await fleet.run(Work(size=size).text)
        peaks.append(max(seen))
        rates.append(size * fleet.agents / ran.seconds)
    what = f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB"
    name = f"output_{what.replace(' ', '').lower()}"
    figures = [
        fleet.figure(
            f"{name}_rate",
            f"{what} of output from each",
            max(rates) / 1e6,
            "MB/s",
            floor / 1e6,
            "bare SQLite",
        ),
        fleet.figure(
            f"{name}_peak",
            f"{what} of output from each: memory at most",
            max(peaks) / MIB,
            "MiB",
        ),
    ]
    if times > 1:
        growth = fleet.figure(
            f"{name}_growth",
            f"{what} of output from each: memory, the last time above the first",
            (peaks[-1] - peaks[0]) / MIB,
            "MiB",
        )
        figures.append(growth)
    return figures


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[list[int]]:
    """Resident bytes of a process, looked at again and again."""
    process = psutil.Process(pid)
    seen = [process.memory_info().rss]

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            seen.append(process.memory_info().rss)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


async def inputs(fleet: Fleet) -> list[Figure]:
    """The largest stdin for each agent, beside the same command without it."""
    without, with_stdin = (
        CommandSpec(Work().text),
        CommandSpec(Work().text, stdin=content_of(bytes(CONTENT_LENGTH))),
    )
    await fleet.run(without)
    async with watched(fleet.manager.running) as bare:
        await fleet.run(without)
    async with watched(fleet.manager.running) as seen:
        ran = await fleet.run(with_stdin)
    what = f"{CONTENT_LENGTH / MIB:g} MiB of stdin to each"
    rate = CONTENT_LENGTH * fleet.agents / ran.seconds / 1e6
    return [
        fleet.figure("input_rate", what, rate, "MB/s"),
        fleet.figure(
            "input_memory",
            f"{what}: memory at most, above that of the same command without it",
            (max(seen) - max(bare)) / MIB,
            "MiB",
        ),
    ]
