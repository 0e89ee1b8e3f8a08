"""Due times of the schedules of a manager in memory: the clock is turned to them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.support.managers.manager_parts import Parts
from tests.support.managers.schedules import ANA, end_task, hourly, shown, turn_to
from tests.support.waiting import GIVE_UP
from tui_manager.domain.lists.list_window import Window


async def add(parts: Parts, **given: Any) -> None:
    await parts.schedules.add_schedule(hourly(**given), ANA)


async def look_at(parts: Parts, hour: int, minute: int = 0, *, day: int = 2) -> None:
    turn_to(parts, hour, minute, day=day)
    await parts.watch.run_once()
    await parts.schedule_loop.run_once()


async def end(parts: Parts) -> None:
    host = parts.directory.find_row(1)
    assert host
    await end_task(parts, host.row.host_id)


@contextlib.asynccontextmanager
async def looping(parts: Parts) -> AsyncIterator[None]:
    """The loop runs until the block is left."""
    running = asyncio.create_task(parts.schedule_loop.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def until(parts: Parts, last: str, *, wakes: bool = True, name: str = "nightly") -> None:
    """Until this is the last row.

    Args:
        wakes: the clock of the test has been turned, which no timer of the loop knows.
    """
    changes = parts.feed.subscribe()
    if wakes:
        parts.schedule_loop.wake()
    changes.take()
    while (await shown(parts, name))[-1:] != [last]:
        await asyncio.wait_for(changes.changed.wait(), GIVE_UP)
        changes.take()  # before the next look: a change after it must not be missed


async def problems(parts: Parts) -> list[str]:
    page = await parts.schedules.list_schedules(Window())
    return [row.problem for row in page.rows]
