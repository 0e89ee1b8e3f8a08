"""What receivers are told is stored in the transaction of what happens, and only if some receiver
wants it."""

from datetime import timedelta

import pytest

from tests.support.managers.manager_parts import Parts, failed, result, spec
from tests.support.managers.rollouts import Fleet, rollout
from tests.support.managers.schedules import ANA, hourly, turn_to
from tui_manager.domain.hosts.agent_messages import Held, HeldState
from tui_manager.domain.manager.notification import Event, Hook
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import notifications, receivers
from tui_manager.storage.tables.manager.notifications import Notification

LOST_AFTER = 301.0
ALL = "all"


async def _want(parts: Parts, *events: Event) -> None:
    hook = Hook(ALL, ("/bin/true",), events)
    await parts.database.write(lambda tx: receivers.register(tx, [hook], 0))


async def told(parts: Parts) -> list[Notification]:
    """What waits for the receiver, which is taken away."""

    def take(tx: Transaction) -> list[Notification]:
        found = []
        while one := notifications.oldest(tx, ALL):
            found.append(one)
            notifications.remove(tx, [one.row_id])
        return found

    return await parts.database.write(take)


async def _names(parts: Parts) -> list[str]:
    return sorted(one.event for one in await told(parts))


async def _ran(parts: Parts, host: OpenedSession, *, fails: bool = False) -> int:
    task_id = await parts.started("web01", "true")
    run = parts.dispatcher.sent[-1][1].execution_id
    await parts.report(host.host_id, failed(run) if fails else result(run))
    return task_id


async def test_a_manager_without_receivers_stores_nothing(parts: Parts) -> None:
    await _ran(parts, await parts.connect("web01"), fails=True)
    assert await told(parts) == []


async def test_each_end_of_a_task_is_told_once(parts: Parts) -> None:
    await _want(parts, *Event)
    host = await parts.connect("web01")
    done = await _ran(parts, host)
    ended, recovered = await told(parts)
    assert (ended.event, recovered.event) == (Event.TASK_ENDED, Event.TASK_RECOVERED)
    assert ended.task_id == recovered.task_id == done
    assert ended.event_id != recovered.event_id
    assert not ended.corrected
    await _ran(parts, host, fails=True)
    assert await _names(parts) == [Event.TASK_ENDED, Event.TASK_FAILED]
    never_started = await parts.tasks.create_task(spec("web01", "true"))
    await parts.tasks.cancel_task(never_started)
    assert await _names(parts) == [Event.TASK_ENDED]
    canceled = await parts.started("web01", "true")
    await parts.tasks.cancel_task(canceled)
    assert await _names(parts) == []  # it ends when its host says so


@pytest.mark.parametrize("runs_on", [True, False])
async def test_a_late_end_says_that_it_replaces_one(parts: Parts, runs_on: bool) -> None:
    await _want(parts, Event.TASK_ENDED, Event.TASK_FAILED)
    host = await parts.connect("web01")
    await parts.started("web01", "true")
    run = parts.dispatcher.sent[-1][1].execution_id
    await _away(parts, host)
    assert [one.corrected for one in await told(parts)] == [False, False]
    state = HeldState.RUNNING if runs_on else HeldState.ENDED
    held = (Held(run, state, has_result=not runs_on),)
    await parts.connect("web01", host_id=host.host_id, held=held)
    assert await told(parts) == []
    await parts.report(host.host_id, result(run))
    (ended,) = await told(parts)
    assert (ended.event, ended.corrected) == (Event.TASK_ENDED, True)


async def test_failures_of_the_same_task_are_counted_back_to_its_last_success(
    parts: Parts,
) -> None:
    host = await parts.connect("web01")

    async def before(task_id: int) -> int:
        return await parts.database.read(lambda tx: notifications.failures_before(tx, task_id))

    first = await _ran(parts, host, fails=True)
    second = await _ran(parts, host, fails=True)
    good = await _ran(parts, host)
    third = await _ran(parts, host, fails=True)
    assert [await before(one) for one in (first, second, good, third)] == [0, 1, 2, 0]

    async def later(task_id: int) -> bool:
        return await parts.database.read(lambda tx: notifications.has_ended_since(tx, task_id))

    assert [await later(one) for one in (first, third)] == [True, False]
    other = await parts.started("web01", "another one")
    run = parts.dispatcher.sent[-1][1].execution_id
    await parts.report(host.host_id, failed(run))
    assert await before(other) == 0


async def test_a_hold_is_told(fleet: Fleet) -> None:
    await _want(fleet.parts, Event.HOLD_WAITS)
    task_id = await fleet.start(rollout=rollout(batches="4", hold=HoldRule.EACH))
    await fleet.finish()
    (hold,) = await told(fleet.parts)
    assert (hold.task_id, hold.detail) == (task_id, {"batch": 1, "of": 3})


async def _away(parts: Parts, host: OpenedSession) -> None:
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(LOST_AFTER)
    await parts.silence.run_once()


async def test_lost_hosts_are_told_once_and_together(parts: Parts) -> None:
    await _want(parts, Event.HOST_LOST, Event.HOST_BACK)
    hosts = [await parts.connect(name) for name in ("web01", "web02", "web03")]
    for host in hosts[:2]:
        await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(LOST_AFTER - 2)
    await parts.silence.run_once()
    assert await told(parts) == []
    parts.clock.turn(2)
    await parts.silence.run_once()
    (lost,) = await told(parts)
    assert lost.event is Event.HOST_LOST
    assert await _hosts_of(parts, lost) == ["web01", "web02"]
    parts.silence._lost_host_watch.forget()  # as after a restart
    await parts.silence.run_once()
    assert await told(parts) == []
    await parts.connect("web01", host_id=hosts[0].host_id)
    await parts.silence.run_once()
    (back,) = await told(parts)
    assert (back.event, await _hosts_of(parts, back)) == (Event.HOST_BACK, ["web01"])


async def _hosts_of(parts: Parts, one: Notification) -> list[str]:
    detail = one.detail
    assert detail
    return await parts.database.read(lambda tx: notifications.names_of_hosts(tx, detail["hosts"]))


async def test_a_host_in_maintenance_or_removed_is_not_told(parts: Parts) -> None:
    await _want(parts, Event.HOST_LOST, Event.HOST_BACK)
    resting = await parts.connect("web01")
    await parts.host_management.set_maintenance(["web01"], "new disk", None, ANA)
    await _away(parts, resting)
    assert await told(parts) == []
    await parts.host_management.end_maintenance(["web01"], ANA)
    await parts.silence.run_once()
    assert await _names(parts) == [Event.HOST_LOST]
    await parts.admission.revoke([resting.host_id], ANA)
    await parts.silence.run_once()
    assert await told(parts) == []
    assert await parts.database.read(notifications.lost_hosts) == set()


async def test_skipped_due_times_are_told_but_for_those_of_a_pause(parts: Parts) -> None:
    await _want(parts, Event.SCHEDULE_SKIPPED)
    await parts.schedules.add_schedule(hourly(), ANA)
    turn_to(parts, 4)
    await parts.schedule_loop.run_once()  # there is no host web01: it is refused
    (skipped,) = await told(parts)
    assert skipped.detail
    assert (skipped.detail["reason"], skipped.detail["count"]) == ("refused", 1)
    await parts.schedules.pause_schedule("nightly", ANA)
    turn_to(parts, 6)
    await parts.schedules.resume_schedule("nightly", ANA)
    assert await told(parts) == []


async def test_a_jump_of_the_clock_is_told(parts: Parts) -> None:
    await _want(parts, Event.CLOCK_JUMPED)
    parts.clock.instant += timedelta(hours=2)
    await parts.watch.run_once()
    (jump,) = await told(parts)
    assert jump.detail == {"ahead": 7200 * 10**6, "at_start": False}


async def test_what_waits_for_a_receiver_that_is_left_out_stays_for_a_while(parts: Parts) -> None:
    await _want(parts, Event.TASK_ENDED)
    await _ran(parts, await parts.connect("web01"))
    other = Hook("other", ("/bin/true",), (Event.TASK_ENDED,))
    await parts.database.write(lambda tx: receivers.register(tx, [other], 0))
    (known,) = await parts.database.read(receivers.all_receivers)
    assert (known.name, known.pending) == ("other", 0)
    assert len(await told(parts)) == 1
    await _ran(parts, await parts.connect("web02"))
    assert await told(parts) == []
