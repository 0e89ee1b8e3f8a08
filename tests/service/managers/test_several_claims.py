"""A command that one manager claims just now is not ended by the leader as if it were unsent."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.managers.manager_parts import failed, greeting, result, spec
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.dispatch.claim_commands import Claims, ReadySession
from tui_manager.storage.engine.transaction import Transaction

pytestmark = pytest.mark.postgresql
_WAIT = 0.3  # seconds in which the act of the leader reaches the rows that are locked


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with following_managers(tmp_path, count=2) as made:
        yield made


@contextlib.asynccontextmanager
async def _claiming(manager: Manager) -> AsyncIterator["asyncio.Task[list[tuple[str, Run]]]"]:
    """Meanwhile this manager has claimed what it may send, and the claim is not committed. In the
    end it is; the task then gives what was sent."""
    loop, claimed, commits = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    claim = manager.dispatch.claim_fenced

    def claim_and_wait(tx: Transaction, sessions: Sequence[ReadySession]) -> Claims:
        claims: Claims = claim(tx, sessions)
        loop.call_soon_threadsafe(claimed.set)
        commits.wait()
        return claims

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager.dispatch, "claim_fenced", claim_and_wait)
        sending = asyncio.create_task(manager.send())
        await claimed.wait()
        try:
            yield sending
        finally:
            loop.call_later(_WAIT, commits.set)


async def test_what_is_sent_before_its_timeout_is_not_undelivered(managers: Managers) -> None:
    a, b = managers
    opened = await b.connect("web1")
    await b.hosts.close_session(opened.host_id, opened.generation, "test")
    await managers.settle()
    minute = timedelta(minutes=1)
    wanted = spec("web1", "true", offline=Offline.WAIT, delivery_timeout=minute)
    task_id = await a.tasks.create_task(wanted)
    await a.tasks.start_task(task_id)
    await b.hosts.open_session(greeting("web1", host_id=opened.host_id), None)
    b.hosts.session_ready(opened.host_id)
    async with _claiming(b) as sending:
        managers.clock.turn(minute.total_seconds() + 1)
        judging = asyncio.create_task(a.silence.run_once())
    ((host_id, run),) = await sending
    await judging
    await b.report(host_id, result(run.execution_id))
    (row,) = await a.rows(task_id)
    assert row.status is CommandHostStatus.COMPLETED


async def _rollout_on_two(managers: Managers) -> tuple[int, str, Run]:
    """Its task, and what was sent to the host that is connected to the leader. The manager of the
    other host may send to that one."""
    a, b = managers
    await a.connect("web1")
    await b.connect("web2")
    await managers.settle()
    rollout = RolloutSpec(max_failures="0")
    task_id = await a.tasks.create_task(spec("web[1-2]", "one", "two", rollout=rollout))
    await a.tasks.start_task(task_id)
    await a.rollout_loop.run_once()
    ((host_id, run),) = await a.send()
    await managers.settle()
    return task_id, host_id, run


async def test_a_host_that_is_claimed_when_the_budget_is_spent_runs_all_steps(
    managers: Managers,
) -> None:
    a, b = managers
    task_id, host_id, run = await _rollout_on_two(managers)
    async with _claiming(b) as sending:
        await a.report(host_id, failed(run.execution_id))
        planning = asyncio.create_task(a.rollout_loop.run_once())
    ((_, other),) = await sending
    await planning
    states = {(row.host, row.command): row.status for row in await a.rows(task_id)}
    assert states["web2", 1] is CommandHostStatus.PENDING
    assert other.execution_id


async def test_a_pause_takes_back_no_turn_of_a_host_that_is_claimed(managers: Managers) -> None:
    a, b = managers
    task_id, _, _ = await _rollout_on_two(managers)
    async with _claiming(b) as sending:
        pausing = asyncio.create_task(a.tasks.pause_task(task_id))
    assert len(await sending) == 1
    await pausing
    rollout = (await a.tasks.get_task(task_id)).task.rollout
    assert rollout is not None
    assert rollout.hosts_under_way == 2


async def test_a_host_that_is_back_elsewhere_and_is_claimed_stays_under_way(
    managers: Managers,
) -> None:
    """The leader knows only that it has gone."""
    a, b = managers
    task_id, _, _ = await _rollout_on_two(managers)
    (host,) = (entry for entry in b.directory if entry.session)
    host_id, generation = host.row.host_id, host.row.generation
    await b.hosts.close_session(host_id, generation, "test")
    await managers.settle()
    await b.hosts.open_session(greeting("web2", host_id=host_id), None)
    b.hosts.session_ready(host_id)
    async with _claiming(b) as sending:
        planning = asyncio.create_task(a.rollout_loop.run_once())
    assert len(await sending) == 1
    await planning
    states = "SELECT state FROM rollout_hosts WHERE task_id = ? ORDER BY host"
    rows = await a.database.read(lambda tx: tx.execute(states, (task_id,)).fetchall())
    assert [row["state"] for row in rows] == ["under_way", "under_way"]
