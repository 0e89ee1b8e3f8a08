"""Rollouts: batches, order, concurrency, budgets, delay, and the turn of a host."""

from datetime import timedelta

import pytest

from tests.support.manager_parts import Parts
from tests.support.rollouts import Fleet, host_names, rollout
from tui_manager.domain.rollout import HoldRule, Order
from tui_manager.domain.spec import Offline
from tui_manager.domain.status import TaskStatus

COMPLETED, FAILED, PENDING = "completed", "failed exit_code", "pending"
SPENT, EXPIRED = "skipped budget_spent", "skipped hold_expired"
UNDELIVERABLE = "failed undeliverable"


@pytest.fixture
async def fleet(parts: Parts) -> Fleet:
    made = Fleet(parts)
    await made.connect(host_names(10))
    return made


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


async def test_a_host_that_is_offline_at_its_turn_fails_and_does_not_count(fleet: Fleet) -> None:
    await fleet.disconnect(["h002", "h005"])
    spec = rollout(batches="1,rest", max_failures="0", max_concurrency="1")
    task_id = await fleet.start(rollout=spec)
    await fleet.connect(["h005"])  # before its turn
    await fleet.finish()
    states = await fleet.states(task_id)
    assert states["h002"] == UNDELIVERABLE
    assert await fleet.counts(task_id) == {COMPLETED: 9, UNDELIVERABLE: 1}


async def test_a_batch_waits_for_its_host_up_to_the_delivery_timeout(fleet: Fleet) -> None:
    await fleet.disconnect(["h001", "h002"])
    timeout = timedelta(seconds=100)
    task_id = await fleet.start(
        "@all",
        "one",
        "two",
        rollout=rollout(batches="3,rest"),
        offline=Offline.WAIT,
        delivery_timeout=timeout,
    )
    fleet.parts.clock.turn(60)
    await fleet.finish()
    await fleet.connect(["h002"])
    assert await fleet.take() == ["h002"]
    await fleet.finish()
    fleet.parts.clock.turn(39)
    await fleet.parts.silence.look()
    assert await fleet.take() == []
    fleet.parts.clock.turn(1)
    await fleet.parts.silence.look()
    assert len(await fleet.take()) == 7
    await fleet.finish()
    assert await fleet.counts(task_id) == {COMPLETED: 9, UNDELIVERABLE: 1}


async def test_a_host_that_is_back_comes_before_those_that_wait(fleet: Fleet) -> None:
    await fleet.disconnect(["h001"])
    await fleet.start(rollout=rollout(max_concurrency="2"), offline=Offline.WAIT)
    assert fleet.busy() == ["h002", "h003"]
    await fleet.connect(["h001"])
    assert await fleet.take() == []  # no place
    assert await fleet.answer("h002") == ["h001"]


async def test_a_host_that_goes_between_two_steps_gives_its_place_away(fleet: Fleet) -> None:
    spec = rollout(max_concurrency="1")
    await fleet.start("h[001-002]", "one", "two", rollout=spec, offline=Offline.WAIT)
    fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    assert await fleet.take() == ["h002"]
    fleet.parts.dispatcher.rooms.clear()
    await fleet.connect(["h001"])
    assert await fleet.take() == []
    assert await fleet.answer("h002") == ["h002"]
    assert await fleet.answer("h002") == ["h001"]


async def test_a_host_that_does_not_come_back_between_two_steps_fails(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]", "one", "two", rollout=rollout(batches="1"))
    fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    await fleet.take()
    fleet.parts.clock.turn(fleet.parts.limits.lost_after.total_seconds() - 1)
    assert await fleet.take() == []
    fleet.parts.clock.turn(1)
    assert await fleet.take() == ["h002"]
    assert (await fleet.states(task_id, 1))["h001"] == UNDELIVERABLE


async def test_a_lost_host_counts_until_it_is_back(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1", max_failures="0"))
    lost_after = fleet.parts.limits.lost_after.total_seconds()
    (run,) = fleet.held["h001"]
    await fleet.disconnect(["h001"])
    fleet.parts.clock.turn(lost_after)
    await fleet.parts.silence.look()
    assert await fleet.take() == []
    assert await fleet.counts(task_id) == {"failed agent_lost": 1, SPENT: 9}
    await fleet.connect(["h001"])
    await fleet.answer("h001")
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert progress.hosts_failed == 0
    assert await fleet.counts(task_id) == {COMPLETED: 1, SPENT: 9}
    assert run


async def test_cancel_ends_hosts_that_wait(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"))
    await fleet.parts.tasks.cancel_task(task_id)
    assert (await fleet.counts(task_id))["canceled canceled"] == 9
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.CANCELED


async def test_revoked_hosts_end_before_their_turn(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"))
    await fleet.parts.admission.revoke(["h002", "h003"], "ana")
    await fleet.disconnect(["h002", "h003"])
    assert await fleet.answer("h001") == ["h004"]
    assert (await fleet.counts(task_id))[UNDELIVERABLE] == 2


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


async def test_a_host_that_was_not_sent_anything_has_its_turn_again(fleet: Fleet) -> None:
    first = fleet.sessions["h001"].host_id
    fleet.parts.dispatcher.rooms[first] = 0
    task_id = await fleet.start(rollout=rollout(max_concurrency="1"))
    assert fleet.busy() == []
    await fleet.parts.tasks.pause_task(task_id)
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert (progress.hosts_under_way, progress.hosts_waiting) == (0, 10)
    await fleet.disconnect(["h001"])
    await fleet.parts.tasks.resume_task(task_id)
    assert await fleet.take() == ["h002"]
    assert (await fleet.counts(task_id))[UNDELIVERABLE] == 1


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


async def test_a_task_without_a_rollout_has_no_rows_of_one(fleet: Fleet) -> None:
    await fleet.start()
    await fleet.finish()
    count = "SELECT (SELECT count(*) FROM rollouts) + (SELECT count(*) FROM rollout_hosts)"
    rows = await fleet.parts.database.read(lambda tx: tx.execute(count).fetchone()[0])
    assert rows == 0
