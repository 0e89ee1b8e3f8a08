"""The turn of a host in a rollout: it begins, is waited for, fails or is skipped."""

from datetime import timedelta

from tests.support.managers.rollouts import COMPLETED, SPENT, UNDELIVERABLE, Fleet, rollout
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.storage.tables.hosts import admissions, host_changes


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
    await fleet.parts.silence.run_once()
    assert await fleet.take() == []
    fleet.parts.clock.turn(1)
    await fleet.parts.silence.run_once()
    assert len(await fleet.take()) == 7
    await fleet.finish()
    assert await fleet.counts(task_id) == {COMPLETED: 9, UNDELIVERABLE: 1}


async def test_a_host_that_is_back_comes_before_those_that_wait(fleet: Fleet) -> None:
    await fleet.disconnect(["h001"])
    task_id = await fleet.start(rollout=rollout(max_concurrency="2"), offline=Offline.WAIT)
    assert fleet.busy() == ["h002", "h003"]
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert (progress.hosts_under_way, progress.hosts_waiting) == (2, 8)
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


async def test_a_host_that_comes_and_goes_between_two_looks_gives_its_place_away(
    fleet: Fleet,
) -> None:
    """It comes without what it was sent, and goes before that is sent again."""
    await fleet.start("h001,h002", rollout=rollout(max_concurrency="1"))
    await fleet.disconnect(["h001"])
    assert await fleet.take() == []
    fleet.held["h001"].clear()
    await fleet.connect(["h001"])
    await fleet.disconnect(["h001"])
    assert await fleet.take() == ["h002"]


async def test_a_host_that_never_got_its_first_command_does_not_begin_any_more(
    fleet: Fleet,
) -> None:
    """The budget is spent before it comes back; h003 has begun, and goes on."""
    given = {"rollout": rollout(max_failures="0"), "offline": Offline.WAIT}
    task_id = await fleet.start("h[001-003]", "one", "two", **given)
    assert await fleet.answer("h003") == ["h003"]
    await fleet.disconnect(["h002", "h003"])
    for name in ("h002", "h003"):
        fleet.held[name].clear()
    await fleet.answer("h001", code=1)
    await fleet.connect(["h002", "h003"])
    assert await fleet.take() == ["h003"]
    assert (await fleet.states(task_id))["h002"] == SPENT
    assert (await fleet.states(task_id, 1))["h002"] == SPENT
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED


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


async def test_revoked_hosts_end_before_their_turn(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"))
    await fleet.parts.admission.revoke(["h002", "h003"], "ana")
    await fleet.disconnect(["h002", "h003"])
    assert await fleet.answer("h001") == ["h004"]
    assert (await fleet.counts(task_id))[UNDELIVERABLE] == 2


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


async def test_maintenance_is_looked_at_at_the_turn(fleet: Fleet) -> None:
    task_id = await fleet.start("@all", "one", "two", rollout=rollout(batches="1"))
    for name in ("h002", "h003"):
        await _set_maintenance(fleet, name, Maintenance("new disk", None, "ana@pts/3"))
    await _set_maintenance(fleet, "h003", None)
    await fleet.finish()
    assert (await fleet.states(task_id))["h002"] == "skipped maintenance"
    assert (await fleet.states(task_id, 1))["h002"] == "skipped maintenance"
    assert (await fleet.counts(task_id))[COMPLETED] == 9


async def test_a_maintenance_that_ends_before_the_turn_skips_nothing(fleet: Fleet) -> None:
    until = fleet.parts.clock.instant + timedelta(seconds=10)
    task_id = await fleet.start("h[001-002]", rollout=rollout(batches="1"))
    await _set_maintenance(fleet, "h002", Maintenance("new disk", until, "ana@pts/3"))
    fleet.parts.clock.turn(10)
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.COMPLETED


async def test_a_task_that_includes_maintenance_begins_all_hosts(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"), include_maintenance=True)
    await _set_maintenance(fleet, "h002", Maintenance("new disk", None, "ana@pts/3"))
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.COMPLETED


async def _set_maintenance(fleet: Fleet, name: str, maintenance: Maintenance | None) -> None:
    host_id = fleet.sessions[name].host_id
    await fleet.parts.database.write(
        lambda tx: host_changes.set_maintenance(tx, host_id, maintenance)
    )


async def test_a_host_that_is_not_admitted_at_its_turn_fails(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]", rollout=rollout(batches="1"))
    await fleet.parts.database.write(
        lambda tx: admissions.put_back(tx, fleet.sessions["h002"].host_id, "another machine")
    )
    await fleet.finish()
    assert (await fleet.states(task_id))["h002"] == UNDELIVERABLE
