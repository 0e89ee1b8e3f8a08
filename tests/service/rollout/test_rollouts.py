"""Rollouts: batches, order, concurrency, budgets and delay."""

from datetime import timedelta
from unittest.mock import patch

import pytest

from tests.support.managers.old_history import DAY
from tests.support.managers.rollouts import COMPLETED, FAILED, SPENT, Fleet, host_names, rollout
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.rollout_spec import Order
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.storage.maintenance import pruning

_ROWS = """
SELECT (SELECT count(*) FROM rollouts) + (SELECT count(*) FROM rollout_batches)
    + (SELECT count(*) FROM rollout_hosts)
"""


async def test_a_batch_begins_when_each_host_of_the_one_before_has_ended(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1,30%,rest"))
    assert fleet.busy() == ["h001"]
    assert await fleet.answer("h001") == ["h002", "h003", "h004"]
    assert await fleet.answer("h003") == []
    assert await fleet.answer("h002", code=1) == []
    assert await fleet.answer("h004") == host_names(10)[4:]
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert (progress.batch, progress.batches, progress.hosts_under_way) == (3, 3, 6)
    assert (progress.hosts_failed, progress.hosts_waiting) == (1, 0)
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED
    assert await fleet.counts(task_id) == {COMPLETED: 9, FAILED: 1}
    assert {row.host: row.batch for row in await fleet.parts.rows(task_id)}["h005"] == 3


async def test_all_steps_of_a_host_belong_to_its_batch(fleet: Fleet) -> None:
    await fleet.start("h[001-002]", "one", "two", rollout=rollout(batches="1"))
    assert await fleet.answer("h001") == ["h001"]
    assert fleet.held["h001"][0].command.text == "two"
    assert await fleet.answer("h001") == ["h002"]


async def test_a_random_order_is_kept(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1", order=Order.RANDOM))
    first = {row.host: row.batch for row in await fleet.parts.rows(task_id)}
    assert sorted(first.values()) == list(range(1, 11))
    order = sorted(first, key=lambda name: first[name])
    for name in order:
        assert fleet.busy() == [name]
        await fleet.answer(name)


async def test_no_more_hosts_are_under_way_than_allowed(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(max_concurrency="3"))
    assert fleet.busy() == ["h001", "h002", "h003"]
    assert await fleet.answer("h002") == ["h004"]
    assert await fleet.answer("h001", code=1) == ["h005"]
    await fleet.finish()
    assert await fleet.counts(task_id) == {COMPLETED: 9, FAILED: 1}


async def test_a_spent_budget_skips_the_rest_and_begun_hosts_finish(fleet: Fleet) -> None:
    spec = rollout(max_failures="1", max_concurrency="4")
    task_id = await fleet.start("@all", "one", "two", rollout=spec)
    await fleet.answer("h001", code=1)  # h005 begins
    assert await fleet.answer("h002", code=1) == []
    await fleet.finish()
    assert await fleet.counts(task_id) == {FAILED: 2, COMPLETED: 3, SPENT: 5}
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED
    (act,) = await fleet.parts.audited("skip_rest")
    assert (act.actor, act.task_id) == ("manager", task_id)
    assert act.detail["reason"] == "budget_spent"
    assert act.detail["hosts"] == "5"


async def test_a_host_that_was_sent_nothing_does_not_begin_after_it(fleet: Fleet) -> None:
    """Its turn has come, and its agent has no room."""
    full = fleet.sessions["h002"].host_id
    fleet.parts.dispatcher.rooms[full] = 0
    task_id = await fleet.start(rollout=rollout(max_failures="0", max_concurrency="2"))
    assert fleet.busy() == ["h001"]
    await fleet.answer("h001", code=1)
    fleet.parts.dispatcher.rooms.clear()
    fleet.parts.hosts.session_ready(full)
    assert await fleet.take() == []
    assert await fleet.counts(task_id) == {FAILED: 1, SPENT: 9}


async def test_a_host_counts_once(fleet: Fleet) -> None:
    task_id = await fleet.start(
        "@all", "one", "two", rollout=rollout(batches="1", max_failures="1")
    )
    await fleet.answer("h001", code=1)
    assert await fleet.answer("h002") == ["h002"]
    await fleet.answer("h002", code=1)
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert progress.hosts_failed == 2
    assert (await fleet.counts(task_id))[SPENT] == 8


@pytest.mark.parametrize("budget", ["0", "2", "30%"])
async def test_of_a_strict_budget_no_more_hosts_can_fail(fleet: Fleet, budget: str) -> None:
    allowed = {"0": 1, "2": 3, "30%": 4}[budget]
    task_id = await fleet.start(rollout=rollout(max_failures=budget, strict=True))
    assert len(fleet.busy()) == allowed
    await fleet.answer("h001")
    assert len(fleet.busy()) == min(allowed, 9)
    await fleet.finish(lambda _name: 1)
    assert await fleet.counts(task_id) == {COMPLETED: 1, FAILED: allowed, SPENT: 9 - allowed}


async def test_a_strict_budget_keeps_the_place_of_a_host_that_is_away(fleet: Fleet) -> None:
    spec = rollout(max_failures="1", strict=True)
    task_id = await fleet.start("@all", "one", "two", rollout=spec, offline=Offline.WAIT)
    fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    assert await fleet.take() == []
    await fleet.answer("h002", code=1)
    assert fleet.busy() == []
    fleet.parts.dispatcher.rooms.clear()
    await fleet.connect(["h001"])
    assert await fleet.take() == ["h001"]
    await fleet.answer("h001", code=1)
    assert (await fleet.counts(task_id))[SPENT] == 8


async def test_without_a_budget_a_batch_that_failed_whole_ends_the_rollout(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="2"))
    await fleet.answer("h001", code=1)
    assert await fleet.answer("h002") == ["h003", "h004"]
    await fleet.answer("h003", code=1)
    assert await fleet.answer("h004", code=1) == []
    assert await fleet.counts(task_id) == {COMPLETED: 1, FAILED: 3, SPENT: 6}


async def test_the_next_batch_waits_for_the_delay(fleet: Fleet) -> None:
    await fleet.start(rollout=rollout(batches="5", delay=timedelta(seconds=30)))
    fleet.parts.clock.turn(100)
    await fleet.finish()
    fleet.parts.clock.turn(29)
    assert await fleet.take() == []
    fleet.parts.clock.turn(1)
    assert len(await fleet.take()) == 5


async def test_a_lost_host_counts_until_it_is_back(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1", max_failures="0"))
    lost_after = fleet.parts.limits.lost_after.total_seconds()
    (run,) = fleet.held["h001"]
    await fleet.disconnect(["h001"])
    fleet.parts.clock.turn(lost_after)
    await fleet.parts.silence.run_once()
    assert await fleet.take() == []
    assert await fleet.counts(task_id) == {"failed agent_lost": 1, SPENT: 9}
    await fleet.connect(["h001"])
    await fleet.answer("h001")
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert progress.hosts_failed == 0
    assert await fleet.counts(task_id) == {COMPLETED: 1, SPENT: 9}
    assert run


async def test_a_task_without_a_rollout_has_no_rows_of_one(fleet: Fleet) -> None:
    await fleet.start()
    await fleet.finish()
    rows = await fleet.parts.database.read(lambda tx: tx.execute(_ROWS).fetchone()[0])
    assert rows == 0


async def test_pruning_removes_a_rollout_in_small_steps(fleet: Fleet) -> None:
    await fleet.start(rollout=rollout(batches="1"))
    await fleet.finish()
    fleet.parts.clock.turn(31 * DAY)
    await fleet.parts.pruning.mark()
    with patch.object(pruning, "ROWS", 3):
        steps = 0
        while await fleet.parts.pruning.clear():
            steps += 1
    assert steps >= 10  # command hosts, hosts and batches of the rollout
    rows = await fleet.parts.database.read(lambda tx: tx.execute(_ROWS).fetchone()[0])
    assert rows == 0
