"""Holds, pauses and cancels of rollouts, and the loops that wait for times."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts, result, spec
from tests.support.managers.rollouts import (
    COMPLETED,
    EXPIRED,
    FAILED,
    SPENT,
    Fleet,
    host_names,
    rollout,
)
from tests.support.waiting import wait_until
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.service.core.clock import Clock


async def test_cancel_ends_hosts_that_wait(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"))
    await fleet.parts.tasks.cancel_task(task_id)
    assert (await fleet.counts(task_id))["canceled canceled"] == 9
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.CANCELED


@pytest.mark.parametrize("hold", [HoldRule.EACH, HoldRule.FIRST])
async def test_a_hold_waits_for_an_operator(fleet: Fleet, hold: HoldRule) -> None:
    task_id = await fleet.start(rollout=rollout(batches="4", hold=hold))
    await fleet.finish()
    task = await fleet.task(task_id)
    assert task.hold
    assert (task.hold.batch, task.hold.of) == (1, 3)
    assert task.hold.expires_at == fleet.parts.clock.instant + timedelta(hours=24)
    assert not task.paused
    await fleet.parts.tasks.resume_task(task_id, "ana@pts/3")
    assert len(await fleet.take()) == 4
    await fleet.finish()
    held = (await fleet.task(task_id)).hold
    assert (held is not None) == (hold is HoldRule.EACH)
    if held:
        await fleet.parts.tasks.resume_task(task_id)
        await fleet.take()
        await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.COMPLETED
    acts = await fleet.parts.audited("hold_task", "resume_task")
    assert [act.action for act in acts[:2]] == ["hold_task", "resume_task"]
    assert (acts[0].actor, acts[0].detail["batch"]) == ("manager", "1")


@pytest.mark.parametrize("paused", [False, True])
async def test_cancel_ends_a_hold_and_a_pause(fleet: Fleet, paused: bool) -> None:
    task_id = await fleet.start(rollout=rollout(batches="4", hold=HoldRule.EACH))
    await fleet.finish()
    if paused:
        await fleet.parts.tasks.pause_task(task_id)
    await fleet.parts.tasks.cancel_task(task_id)
    task = await fleet.task(task_id)
    assert (task.status, task.paused, task.hold) == (TaskStatus.CANCELED, False, None)
    assert await fleet.counts(task_id) == {COMPLETED: 4, "canceled canceled": 6}
    with pytest.raises(IllegalMoveError, match="it is canceled"):
        await fleet.parts.tasks.resume_task(task_id)
    assert await fleet.take() == []


async def test_a_hold_that_nobody_ends_expires(fleet: Fleet) -> None:
    spec = rollout(batches="4", hold=HoldRule.EACH, hold_timeout=timedelta(seconds=60))
    task_id = await fleet.start(rollout=spec)
    await fleet.finish()
    fleet.parts.clock.turn(59)
    assert await fleet.take() == []
    assert (await fleet.task(task_id)).hold
    fleet.parts.clock.turn(1)
    assert await fleet.take() == []
    task = await fleet.task(task_id)
    assert (task.status, task.hold) == (TaskStatus.FAILED, None)
    assert await fleet.counts(task_id) == {COMPLETED: 4, EXPIRED: 6}


async def test_a_pause_stops_the_clock_of_a_hold_and_resume_ends_both(fleet: Fleet) -> None:
    spec = rollout(batches="4", hold=HoldRule.FIRST, hold_timeout=timedelta(seconds=60))
    task_id = await fleet.start(rollout=spec)
    await fleet.finish()
    await fleet.parts.tasks.pause_task(task_id)
    fleet.parts.clock.turn(1000)
    assert await fleet.take() == []
    task = await fleet.task(task_id)
    assert task.hold
    assert (task.paused, task.hold.expires_at) == (True, None)
    await fleet.parts.tasks.resume_task(task_id)
    assert len(await fleet.take()) == 4


async def test_nothing_begins_in_a_pause_and_a_spent_budget_holds_after_it(fleet: Fleet) -> None:
    spec = rollout(max_concurrency="2", max_failures="0")
    task_id = await fleet.start(rollout=spec)
    await fleet.parts.tasks.pause_task(task_id)
    assert await fleet.answer("h001") == []
    assert await fleet.answer("h002", code=1) == []
    await fleet.parts.tasks.resume_task(task_id)
    assert await fleet.take() == []
    assert await fleet.counts(task_id) == {COMPLETED: 1, FAILED: 1, SPENT: 8}


async def test_a_task_that_ends_is_not_held_when_it_runs_again(fleet: Fleet) -> None:
    """Its first host was lost, and the others are revoked during the hold."""
    spec = rollout(batches="1", hold=HoldRule.EACH, max_failures="5")
    task_id = await fleet.start("h[001-003]", rollout=spec)
    await fleet.disconnect(["h001"])
    fleet.parts.clock.turn(fleet.parts.limits.lost_after.total_seconds())
    await fleet.parts.silence.run_once()
    await fleet.take()
    assert (await fleet.task(task_id)).hold
    await fleet.parts.admission.revoke(["h002", "h003"], "ana")
    await fleet.take()
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED
    await fleet.connect(["h001"])
    await fleet.take()
    task = await fleet.task(task_id)
    assert (task.status, task.hold) == (TaskStatus.RUNNING, None)
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED


async def test_a_batch_after_which_no_host_is_left_is_not_held(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-003]", rollout=rollout(batches="1", hold=HoldRule.EACH))
    await fleet.parts.admission.revoke(["h003"], "ana")
    await fleet.disconnect(["h002", "h003"])
    await fleet.answer("h001")
    await fleet.parts.tasks.resume_task(task_id)
    assert await fleet.take() == []  # h002 is offline at its turn
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED
    (act,) = await fleet.parts.audited("hold_task")
    assert act.detail["batch"] == "1"


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("budget", ["0", ""])
async def test_a_rollout_that_ends_with_a_batch_is_not_held_after_it(
    fleet: Fleet, budget: str, paused: bool
) -> None:
    spec = rollout(batches="1", hold=HoldRule.EACH, max_failures=budget)
    task_id = await fleet.start("h[001-003]", rollout=spec)
    if paused:
        await fleet.parts.tasks.pause_task(task_id)
    await fleet.answer("h001", code=1)
    if paused:
        assert (await fleet.task(task_id)).hold is None
        await fleet.parts.tasks.resume_task(task_id)
        await fleet.take()
    acts = await fleet.parts.audited("hold_task", "skip_rest")
    assert [act.action for act in acts] == ["skip_rest"]
    assert await fleet.counts(task_id) == {FAILED: 1, SPENT: 2}


async def test_a_clock_that_jumps_neither_ends_nor_extends_a_hold(fleet: Fleet) -> None:
    spec = rollout(batches="4", hold=HoldRule.EACH, hold_timeout=timedelta(seconds=60))
    task_id = await fleet.start(rollout=spec)
    await fleet.finish()
    fleet.parts.clock.instant += timedelta(days=3)
    assert await fleet.take() == []
    assert (await fleet.task(task_id)).hold
    fleet.parts.clock.turn(60)
    await fleet.take()
    assert await fleet.counts(task_id) == {COMPLETED: 4, EXPIRED: 6}


async def test_a_clock_that_goes_back_does_not_extend_a_delay(fleet: Fleet) -> None:
    """Another host comes and goes, so that the loop never looks at all rollouts."""
    await fleet.start(rollout=rollout(batches="4,rest", delay=timedelta(seconds=100)))
    await fleet.finish()
    fleet.parts.clock.instant -= timedelta(hours=1)
    await fleet.disconnect(["h010"])
    assert await fleet.take() == []
    fleet.parts.clock.turn(100)
    await fleet.connect(["h010"])
    assert len(await fleet.take()) == 6


async def test_the_loops_run_a_rollout_by_themselves(fleet: Fleet) -> None:
    async with _loops(fleet.parts):
        task_id = await fleet.parts.tasks.create_task(spec("@all", rollout=rollout(batches="1")))
        await fleet.parts.tasks.start_task(task_id)
        for count in range(1, 11):
            host_id, run = await _sent(fleet.parts, count)
            await fleet.parts.report(host_id, result(run.execution_id))
        assert await fleet.parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED


async def test_the_loops_wait_for_times_by_themselves(tmp_path: Path) -> None:
    """A delay passes, and a hold expires, with nothing else that happens."""
    second = timedelta(seconds=1)
    async with manager_parts(tmp_path, RealClock()) as parts, _loops(parts):
        fleet = Fleet(parts)
        await fleet.connect(host_names(3))
        given = rollout(batches="1", delay=second, hold=HoldRule.FIRST, hold_timeout=second)
        task_id = await parts.tasks.create_task(spec("@all", rollout=given))
        other = await parts.tasks.create_task(
            spec("h[001-002]", rollout=rollout(batches="1", delay=second))
        )
        for created in (task_id, other):
            await parts.tasks.start_task(created)
        for count in range(1, 4):
            host_id, run = await _sent(parts, count)
            await parts.report(host_id, result(run.execution_id))
        statuses = [
            await wait_until(partial(parts.tasks.get_task_status, number), lambda now: now.ended)
            for number in (task_id, other)
        ]
        assert statuses == [TaskStatus.FAILED, TaskStatus.COMPLETED]
        assert (await fleet.counts(task_id)) == {COMPLETED: 1, EXPIRED: 2}


class RealClock(TurnedClock):
    """It goes by itself."""

    def clock(self) -> Clock:
        return Clock()


@contextlib.asynccontextmanager
async def _loops(parts: Parts) -> AsyncIterator[None]:
    """What runs in the background of a manager."""
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(loop.run()) for loop in (parts.rollout_loop, parts.dispatch)]
        yield
        for loop in loops:
            loop.cancel()


async def _sent(parts: Parts, count: int) -> tuple[str, Run]:
    """The command number `count` that is sent."""

    async def look() -> list[tuple[str, Run]]:
        return parts.dispatcher.sent

    return (await wait_until(look, lambda sent: len(sent) >= count))[count - 1]
