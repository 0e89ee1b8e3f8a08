"""The leader ends tasks whose command hosts several managers have ended; late results may come to
any of them."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, failed, greeting, result, stored_hosts
from tests.support.managers.several_managers import Managers, several_managers
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Run, Started
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import CommandHostStatus, TaskStatus
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance.check import contradictions

pytestmark = pytest.mark.postgresql
LOST_AFTER = timedelta(minutes=5)


@dataclass
class Two:
    """Two managers with one host each; `a` leads."""

    managers: Managers
    a: Parts
    b: Parts
    host_a: str
    host_b: str

    async def begin(self) -> tuple[int, Run, Run]:
        """A task runs on both hosts; returns what each was sent."""
        task_id = await self.a.started("@all", offline=Offline.WAIT)
        self.b.dispatch.wake([self.host_b])
        ((_, run_b),) = await self.b.send()
        return task_id, self.a.dispatcher.sent[-1][1], run_b

    async def lose_b(self) -> None:
        """The agent at `b` is silent for so long that its work fails."""
        entry = self.a.directory.get(self.host_b)
        assert entry
        clock = self.managers.clock
        for row in await self.a.database.read(stored_hosts):  # as `a` follows `b`
            self.a.directory.put(row, clock.instant, clock.seconds)
        clock.turn(2 * LOST_AFTER.total_seconds())
        await self.a.silence.run_once()

    async def status(self, task_id: int) -> TaskStatus:
        return (await self.b.tasks.get_task(task_id)).task.status

    async def has_faults(self, task_id: int) -> bool:
        def read(tx: Transaction) -> bool:
            row = tx.execute("SELECT has_faults FROM tasks WHERE id = ?", (task_id,)).fetchone()
            return bool(row["has_faults"])

        return await self.a.database.read(read)


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with several_managers(tmp_path, lost_after=LOST_AFTER) as made:
        yield made


@pytest.fixture
async def two(managers: Managers) -> Two:
    b_first = await managers.start("b")
    host_b = (await b_first.connect("web02")).host_id
    await managers.stop("b")
    a, b = await managers.start("a"), await managers.start("b")  # both know both hosts
    await managers.beat()
    host_a = (await a.connect("web01")).host_id
    again = greeting("web02", host_id=host_b)
    assert (await b.hosts.open_session(again, None)).host_id == host_b
    assert managers.leaders() == ["a"]
    return Two(managers, a, b, host_a, host_b)


async def test_a_task_ends_whichever_manager_stores_the_last_result(two: Two) -> None:
    task_id, run_a, run_b = await two.begin()
    await two.b.report(two.host_b, result(run_b.execution_id))
    await two.a.report(two.host_a, result(run_a.execution_id))
    assert await two.status(task_id) is TaskStatus.COMPLETED

    task_id, run_a, run_b = await two.begin()
    await two.a.report(two.host_a, result(run_a.execution_id))
    await two.b.report(two.host_b, failed(run_b.execution_id))
    assert (
        await two.status(task_id) is TaskStatus.RUNNING
    )  # only the leader knows that it has ended
    await two.a.task_status_loop.run_once([task_id])
    assert await two.status(task_id) is TaskStatus.FAILED


async def test_tasks_end_once_when_all_results_come_at_the_same_time(two: Two) -> None:
    tasks = [await two.begin() for _ in range(12)]
    ends: list[tuple[int, TaskStatus]] = []
    reports = []
    for task_id, run_a, run_b in tasks:
        end = result if task_id % 3 else failed
        reports += [
            two.a.report(two.host_a, result(run_a.execution_id)),
            two.b.report(two.host_b, end(run_b.execution_id)),
        ]
    random.Random(5).shuffle(reports)
    await asyncio.gather(*reports, *(two.a.task_status_loop.run_once() for _ in range(4)))
    await two.a.task_status_loop.run_once()
    for task_id, _, _ in tasks:
        expected = TaskStatus.COMPLETED if task_id % 3 else TaskStatus.FAILED
        ends.append((task_id, await two.status(task_id)))
        assert ends[-1] == (task_id, expected)
    assert await two.a.database.read(contradictions) == []


async def test_the_leader_ends_what_it_hears_of(two: Two) -> None:
    """A message names the task; no other look finds it."""
    task_id, run_a, run_b = await two.begin()
    await two.a.report(two.host_a, result(run_a.execution_id))
    await two.b.report(two.host_b, result(run_b.execution_id))
    ended = two.b.feed.subscribe()  # of any manager: this one hears nothing of the other
    assert ended.take()
    looks: list[object] = []
    look, done = two.a.task_status_loop.run_once, asyncio.Event()

    async def noted(named: object = None) -> None:
        looks.append(named)
        await look(named if named is None else [task_id])
        done.set()

    two.a.task_status_loop.run_once = noted  # type: ignore[method-assign]
    running = asyncio.create_task(two.a.task_status_loop.run())
    await done.wait()
    assert looks == [None]
    done.clear()
    two.a.task_status_loop.note_changes(Changes(hosts=True))
    two.a.task_status_loop.note_changes(Changes(tasks=frozenset({task_id})))
    await done.wait()
    assert looks == [None, frozenset({task_id})]
    running.cancel()
    await asyncio.wait([running])
    assert await two.status(task_id) is TaskStatus.COMPLETED


async def _lost(two: Two) -> tuple[int, Run]:
    """A task that has failed because the agent at `b` was lost."""
    task_id, run_a, run_b = await two.begin()
    await two.a.report(two.host_a, result(run_a.execution_id))
    await two.b.report(two.host_b, Started(run_b.execution_id, timedelta()))
    await two.lose_b()
    assert await two.status(task_id) is TaskStatus.FAILED
    return task_id, run_b


async def test_any_manager_stores_a_late_result_of_a_task_that_has_ended(two: Two) -> None:
    task_id, run = await _lost(two)
    assert await two.has_faults(task_id)
    await two.b.report(two.host_b, result(run.execution_id))
    assert await two.status(task_id) is TaskStatus.COMPLETED
    assert not await two.has_faults(task_id)
    assert await two.b.database.read(contradictions) == []


async def test_any_manager_opens_a_task_again_whose_command_still_runs(two: Two) -> None:
    task_id, run = await _lost(two)
    held = Held(run.execution_id, HeldState.RUNNING)
    again = greeting("web02", host_id=two.host_b, held=(held,))
    await two.b.hosts.open_session(again, None)
    assert await two.status(task_id) is TaskStatus.RUNNING
    await two.b.report(two.host_b, result(run.execution_id))
    await two.a.task_status_loop.run_once()
    assert await two.status(task_id) is TaskStatus.COMPLETED
    assert await two.b.database.read(contradictions) == []


async def test_a_late_result_in_the_moment_of_the_end_is_found_later(two: Two) -> None:
    """The other manager has read that the task runs, and the leader that a command was lost."""
    task_id, run = await _lost(two)

    def reopened(tx: Transaction) -> None:  # what a manager stores that has not seen the end
        tx.execute(
            "UPDATE command_hosts SET status = 'running', reason = '', finished_at = NULL "
            "WHERE execution_id = ?",
            (run.execution_id,),
        )

    await two.b.database.write(reopened)
    assert await two.status(task_id) is TaskStatus.FAILED
    await two.a.task_status_loop.run_once()
    assert await two.status(task_id) is TaskStatus.RUNNING


async def test_the_mark_of_faults_is_put_right(two: Two) -> None:
    task_id, run_a, run_b = await two.begin()
    await two.b.report(two.host_b, failed(run_b.execution_id))
    await two.b.database.write(
        lambda tx: tx.execute("UPDATE tasks SET has_faults = false WHERE id = ?", (task_id,))
    )
    await two.a.task_status_loop.run_once([task_id])
    assert await two.has_faults(task_id)
    assert await two.status(task_id) is TaskStatus.RUNNING
    await two.a.report(two.host_a, result(run_a.execution_id))
    assert await two.status(task_id) is TaskStatus.FAILED


async def test_the_leader_plans_a_rollout_that_was_started_elsewhere(two: Two) -> None:
    await two.a.rollout_loop.run_once()
    spec = RolloutSpec(batches="1,rest")
    task_id = await two.b.started("web01,web02", rollout=spec, offline=Offline.WAIT)
    rows = await two.b.rows(task_id)
    assert {row.status for row in rows} == {CommandHostStatus.PENDING}
    await two.a.task_status_loop.run_once([task_id])
    assert [host for host, _ in await two.a.send()] == [two.host_a]
