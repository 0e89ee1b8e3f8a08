"""Only the leader plans: what is due, old or silent is left alone by every other manager, and done
once."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts
from tests.support.managers.old_history import ended
from tests.support.managers.rollouts import Fleet, host_names
from tests.support.managers.schedules import ANA, hourly, shown, turn_to
from tests.support.managers.several_managers import Managers, several_managers
from tests.support.waiting import GIVE_UP, wait_until
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.rollout_spec import HoldRule, RolloutSpec
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.core.core import NotLeadingError
from tui_manager.service.tasks import pause_task
from tui_manager.storage.engine.transaction import Transaction

pytestmark = pytest.mark.postgresql
DAY = 24 * 3600.0


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with several_managers(tmp_path, lost_after=timedelta(minutes=5)) as made:
        yield made


async def two(managers: Managers) -> tuple[Parts, Parts]:
    """The first leads; both know the host web01, which is connected to no manager."""
    a = await managers.start("a")
    opened = await a.connect("web01")
    await a.hosts.close_session(opened.host_id, opened.generation, "test")
    b = await managers.start("b")
    await managers.beat()
    return a, b


async def test_a_schedule_is_acted_on_by_the_leader_alone(managers: Managers) -> None:
    a, b = await two(managers)
    await b.schedules.add_schedule(hourly(), ANA)
    turn_to(b, 4)
    with pytest.raises(NotLeadingError):
        await b.schedule_loop.run_once()
    assert await shown(b) == []
    await a.schedule_loop.run_once()
    assert await shown(b) == ["04:00 task 1"]
    turn_to(b, 5)
    edited = hourly(cron="30 * * * *")
    await b.schedules.edit_schedule(edited, 1, ANA)  # not refused, although something is due
    assert (await b.schedules.get_schedule("nightly")).schedule.spec.cron == "30 * * * *"


async def test_a_rollout_is_planned_by_the_leader_alone(managers: Managers) -> None:
    a, b = await two(managers)
    spec = RolloutSpec(batches="1")
    task_id = await b.started("web01", rollout=spec)
    with pytest.raises(NotLeadingError):
        await b.rollout_loop.run_once()
    assert (await b.tasks.get_task(task_id)).task.status is TaskStatus.RUNNING
    await a.rollout_loop.run_once()
    assert (await b.tasks.get_task(task_id)).task.status is TaskStatus.FAILED  # it was offline


async def test_silence_is_judged_by_the_leader_alone(managers: Managers) -> None:
    a, b = await two(managers)
    waiting = {"offline": Offline.WAIT, "delivery_timeout": timedelta(minutes=1)}
    task_id = await b.started("web01", **waiting)
    managers.clock.turn(DAY)
    with pytest.raises(NotLeadingError):
        await b.silence.run_once()
    entry = next(iter(b.directory))
    assert not entry.declared_lost  # so that this manager judges it when it leads
    assert (await b.tasks.get_task(task_id)).task.status is TaskStatus.RUNNING
    await a.silence.run_once()
    assert (await b.tasks.get_task(task_id)).task.status is TaskStatus.FAILED


async def test_history_is_removed_by_the_leader_alone(managers: Managers) -> None:
    a, b = await managers.start("a"), await managers.start("b")
    host = await a.connect("web01")
    await ended(a, host.host_id)
    managers.clock.turn(31 * DAY)
    for parts in (a, b):
        await parts.watch.run_once()
    with pytest.raises(NotLeadingError):
        await b.pruning.run_once()
    with pytest.raises(NotLeadingError):
        await b.pruning.mark()
    assert (await b.tasks.list_tasks(Window())).total == 1
    await a.pruning.run_once()
    assert (await b.tasks.list_tasks(Window())).total == 0


async def test_a_manager_that_leads_later_plans_what_is_stored_then(managers: Managers) -> None:
    a, b = await two(managers)
    await b.schedules.add_schedule(hourly(), ANA)
    turn_to(b, 4)
    await a.schedule_loop.run_once()
    await managers.kill("a")
    turn_to(b, 4, 59)
    await managers.beat(times=5)
    assert b.leadership.leads
    turn_to(b, 5)
    await b.schedule_loop.run_once()
    assert await shown(b) == ["04:00 task 1", "05:00 task 2"]


async def test_a_hold_that_another_manager_is_just_ending_does_not_expire(
    managers: Managers,
) -> None:
    a, b = await managers.start("a"), await managers.start("b")
    await managers.beat()
    fleet = Fleet(a)
    await fleet.connect(host_names(2))
    rollout = RolloutSpec(batches="1", hold=HoldRule.FIRST, hold_timeout=timedelta(seconds=60))
    task_id = await fleet.start(rollout=rollout)
    await fleet.finish()
    managers.clock.turn(61)
    resumed, go_on = threading.Event(), threading.Event()

    def resume(tx: Transaction) -> None:
        pause_task.resume(tx, task_id, frozenset(), ANA, b.core.clock.stamp())
        resumed.set()
        go_on.wait(GIVE_UP)

    resuming = asyncio.create_task(b.database.write(resume))
    assert await asyncio.to_thread(resumed.wait, GIVE_UP)
    taking = asyncio.create_task(fleet.take())
    await wait_until(lambda: _waiting_for_locks(a), bool)
    go_on.set()
    await resuming
    assert await taking == ["h002"]


async def _waiting_for_locks(parts: Parts) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return await parts.database.read(lambda tx: int(tx.execute(query).fetchone()[0]))
