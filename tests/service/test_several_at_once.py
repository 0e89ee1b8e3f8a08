"""Two managers act on one host at the same moment: what the later one has done is not forgotten."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.following_managers import Manager, Managers, following_managers
from tests.support.manager_parts import greeting

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with following_managers(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def _continued_late(manager: Manager) -> AsyncIterator[asyncio.Event]:
    """What this manager writes meanwhile is committed, which sets the event, and continued at the
    end."""
    database: Any = manager.core.database
    write, committed, go_on = database.write, asyncio.Event(), asyncio.Event()

    async def late(work: Any, **given: Any) -> Any:
        done = await write(work, **given)
        committed.set()
        await go_on.wait()
        return done

    database.write = late
    try:
        yield committed
    finally:
        database.write = write
        go_on.set()


def _labels(managers: Managers, host_id: str) -> list[str]:
    return [manager.directory.get(host_id).row.labels["x"] for manager in managers]


async def test_an_act_that_is_continued_late_hides_no_later_act(managers: Managers) -> None:
    a, b, _ = managers
    host_id = (await a.connect("web01")).host_id
    await managers.settle()
    async with _continued_late(a) as committed:
        own = asyncio.create_task(a.fleet.label(["web01"], {"x": "a"}, [], "op"))
        await committed.wait()
        await b.fleet.label(["web01"], {"x": "b"}, [], "op")
        await managers.settle()
    await own
    await managers.settle()
    assert _labels(managers, host_id) == ["b", "b", "b"]


async def test_a_session_that_is_continued_late_hides_no_later_act(managers: Managers) -> None:
    a, b, c = managers
    host_id = (await a.connect("web01")).host_id
    await managers.settle()
    async with _continued_late(c) as committed:
        hello = asyncio.create_task(c.hosts.open_session(greeting("web01", host_id=host_id), None))
        await committed.wait()
        await b.fleet.label(["web01"], {"x": "b"}, [], "op")
        await managers.settle()
    await hello
    await managers.settle()
    assert _labels(managers, host_id) == ["b", "b", "b"]
