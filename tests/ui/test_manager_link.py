"""When the app reads: as changes come, whose pace is the manager's, and only what is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from tests.support.fake_operator import FakeOperator
from tests.support.jumping_loop import run_jumping
from tui_manager.domain.changes import Changes
from tui_manager.operator.api import Operator
from tui_manager.ui.manager_link import Feed, Link


def of_task(task_id: int) -> Changes:
    return Changes(tasks=frozenset({task_id}))


class _Telling(FakeOperator):
    async def watch(self) -> AsyncIterator[Changes]:
        for number in range(3):
            await asyncio.sleep(0.01)
            yield of_task(number)
        await asyncio.Event().wait()


def test_changes_are_handed_on_as_they_come() -> None:
    async def go() -> list[tuple[float, Changes]]:
        came = []
        loop = asyncio.get_running_loop()

        @asynccontextmanager
        async def opened() -> AsyncIterator[Operator]:
            yield _Telling()

        def take() -> None:
            came.append((round(loop.time(), 3), feed.take()))

        feed = Feed(opened, Link(now=lambda: datetime.now(UTC)), take)
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await feed.run()
        return came

    assert run_jumping(go()) == [(0.01, of_task(0)), (0.02, of_task(1)), (0.03, of_task(2))]
