"""A task from its start to its end on screen. It fails on two hosts, and runs again on these."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

from textual.pilot import Pilot

from tests.support.fake_operator.fake_core import EVERYTHING
from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.status import Stream

SIZE = (100, 28)
_COMMAND = "systemctl restart nginx"
_BROKEN = ("web03", "web13")
_ERROR = b"nginx: [emerg] cannot load certificate ssl.key: No such file\n"


async def settle(pilot: "Pilot[None]") -> None:
    """Lets the screen come to rest."""
    for _ in range(6):
        await pilot.pause()


async def story(pilot: "Pilot[None]", fleet: FakeOperator) -> AsyncIterator[float]:
    """Does one thing after the other, and yields for how many seconds the screen is to be seen."""
    fleet.hosts["web04"] = replace(fleet.hosts["web04"], online=True)
    fleet.attention = ()
    fleet.publish(EVERYTHING)
    await settle(pilot)
    yield 1.5
    await pilot.press("n", *"role=web")
    await settle(pilot)
    yield 1.2
    await pilot.press("tab", *_COMMAND)
    await settle(pilot)
    yield 1.8
    await pilot.press("f5")
    await settle(pilot)
    yield 0.8
    task_id = max(fleet.tasks)
    async for seconds in _ends(pilot, fleet, task_id, by=4):
        yield seconds
    await pilot.press("enter")
    await settle(pilot)
    yield 2.0
    await pilot.press("equals_sign")
    await settle(pilot)
    yield 2.2
    await pilot.press("equals_sign", "r")
    await settle(pilot)
    yield 2.0
    await pilot.press("f5")
    await settle(pilot)
    async for seconds in _ends(pilot, fleet, max(fleet.tasks), by=2, broken=()):
        yield seconds
    yield 2.5


async def _ends(
    pilot: "Pilot[None]",
    fleet: FakeOperator,
    task_id: int,
    *,
    by: int,
    broken: tuple[str, ...] = _BROKEN,
) -> AsyncIterator[float]:
    """The hosts of a task write something and end, some at a time."""
    rows = sorted(fleet.tasks[task_id].rows.values(), key=lambda row: row.host)
    for row in rows:
        fleet.emit(row.execution_id, b"stopping nginx\n")
    fleet.clock += timedelta(seconds=1)
    await settle(pilot)
    yield 0.7
    for first in range(0, len(rows), by):
        for row in rows[first : first + by]:
            if row.host in broken:
                fleet.emit(row.execution_id, _ERROR, Stream.STDERR)
            else:
                fleet.emit(row.execution_id, b"nginx is running\n")
            fleet.finish(row.execution_id, 1 if row.host in broken else 0)
        fleet.clock += timedelta(seconds=2)
        await settle(pilot)
        yield 0.7
