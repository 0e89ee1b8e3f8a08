"""Two managers act on one host at the same moment: what the later one has done is not forgotten."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.managers.manager_parts import greeting
from tests.support.managers.schedules import TASK_FILE, hourly
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.hosts.agent_messages import Held, HeldState, ResumeAction, Started
from tui_manager.domain.schedules.schedule import TemplateUse
from tui_manager.service.reports import reconcile_executions
from tui_manager.storage.tables.schedules import schedules

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
        own = asyncio.create_task(a.host_management.label(["web01"], {"x": "a"}, [], "op"))
        await committed.wait()
        await b.host_management.label(["web01"], {"x": "b"}, [], "op")
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
        await b.host_management.label(["web01"], {"x": "b"}, [], "op")
        await managers.settle()
    await hello
    await managers.settle()
    assert _labels(managers, host_id) == ["b", "b", "b"]


async def test_a_cancel_while_the_host_connects_to_another_manager_reaches_its_agent(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = managers
    await b.connect("web01")
    await managers.settle()
    task_id = await a.started("web01")
    await managers.settle()
    ((host_id, run),) = await b.send()
    await b.report(host_id, Started(run.execution_id, timedelta()))
    await managers.settle()
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    reconcile = reconcile_executions.reconcile

    def reconcile_slowly(*values: Any) -> reconcile_executions.Reconciliation:
        done = reconcile(*values)
        loop.call_soon_threadsafe(reached.set)
        assert go_on.wait(30)
        return done

    monkeypatch.setattr(reconcile_executions, "reconcile", reconcile_slowly)
    held = (Held(run.execution_id, HeldState.RUNNING),)
    greets = greeting("web01", host_id=host_id, held=held)
    hello = asyncio.create_task(c.hosts.open_session(greets, None))
    await reached.wait()
    await a.tasks.cancel_task(task_id, "test")
    await managers.settle()
    go_on.set()
    assert [answer.action for answer in (await hello).resumes] == [ResumeAction.GO_ON]
    c.hosts.session_ready(host_id)
    await managers.settle()
    assert c.dispatcher.cancels == [(host_id, run.execution_id)]


async def _until_it_waits_or_is_done(acting: "asyncio.Task[Any]", manager: Manager) -> None:
    """Until this act of a manager waits for a lock in the database."""
    query = (
        "SELECT count(*) AS number FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    waiting = 0
    while not (waiting or acting.done()):
        row = await manager.core.database.read(lambda tx: tx.execute(query).fetchone())
        waiting = int(row["number"])


async def test_a_template_that_a_schedule_begins_to_use_is_not_deleted(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = managers
    await a.templates.save("t", TASK_FILE, 0, "ana")
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    insert = schedules.insert

    def insert_slowly(*values: Any) -> None:
        loop.call_soon_threadsafe(reached.set)
        assert go_on.wait(30)
        insert(*values)

    monkeypatch.setattr(schedules, "insert", insert_slowly)
    schedule = hourly(template=TemplateUse("t"))
    adding = asyncio.create_task(b.schedules.add_schedule(schedule, "bob"))
    await reached.wait()
    deleting = asyncio.create_task(a.templates.delete("t", "ana"))
    await _until_it_waits_or_is_done(deleting, a)
    go_on.set()
    await adding
    with pytest.raises(IllegalMoveError, match="cannot be deleted"):
        await deleting
