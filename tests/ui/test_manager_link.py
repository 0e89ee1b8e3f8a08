"""When the app reads: as changes come, whose pace is the manager's, and only what is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.jumping_loop import run_jumping
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.manager.changes import Changes
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


class _Away(FakeOperator):
    async def watch(self) -> AsyncIterator[Changes]:
        raise UnreachableError("No manager.")
        yield


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


async def test_a_manager_that_is_away_names_the_others() -> None:
    link = Link(now=lambda: datetime.now(UTC))
    link.status = await FakeOperator().manager_status()
    assert link.others_heard() == ""
    link.status = replace(link.status, others_heard=("m1 (10.0.0.1:7443)", "m3"))
    said, came = [], asyncio.Event()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Operator]:
        yield _Away()

    def take() -> None:
        said.append(link.trouble)
        came.set()

    running = asyncio.create_task(Feed(opened, link, take).run())
    await came.wait()
    running.cancel()
    await asyncio.wait([running])
    assert said == [
        "No manager. On m1 (10.0.0.1:7443) or m3, run tui-manager to go on. Trying again…"
    ]
