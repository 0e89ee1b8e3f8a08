"""After a jump of the wall clock nothing is removed, until the clock is back, 24 hours have passed,
or the operator accepts it. Tasks that ran while it was wrong keep their true age."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts
from tests.support.managers.old_history import DAY, ended, listed
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.operator.inprocess.alerts import HostCounts, attention

HOUR = 3600.0
YEAR = 365 * DAY


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        yield made


def jump(clock: TurnedClock, seconds: float) -> None:
    """The wall clock alone."""
    clock.instant += timedelta(seconds=seconds)


async def run_for(parts: Parts, seconds: float) -> None:
    """Time goes by, a minute at a time, and the watch looks and stores as it does when it runs."""
    for _ in range(int(seconds // 60)):
        parts.clock.turn(60)
        await parts.watch.run_once()
    await parts.watch._store()


async def history(parts: Parts) -> int:
    """A task that has ended now."""
    host = await parts.connect("web01")
    task_id, _ = await ended(parts, host.host_id)
    return task_id


async def test_pruning_runs_while_the_clock_is_right(parts: Parts) -> None:
    await history(parts)
    parts.clock.turn(31 * DAY)
    assert parts.watch.may_act()
    await parts.pruning.run_once()
    assert await listed(parts) == []


@pytest.mark.parametrize("seconds", [40 * DAY, -40 * DAY, 61.0, -61.0])
async def test_after_a_jump_pruning_and_schedules_wait_until_the_clock_is_back(
    parts: Parts, seconds: float
) -> None:
    task_id = await history(parts)
    parts.clock.turn(29 * DAY)
    await parts.watch.run_once()
    jump(parts.clock, seconds)
    assert not parts.watch.may_act()
    parts.clock.turn(HOUR)
    await parts.pruning.run_once()
    assert await listed(parts) == [task_id]
    untrusted = parts.watch.untrusted
    assert untrusted
    assert untrusted.jumped
    assert untrusted.ahead == timedelta(seconds=seconds)
    assert untrusted.waits == timedelta(hours=23)
    jump(parts.clock, -seconds)
    assert parts.watch.may_act()
    assert parts.watch.untrusted is None
    parts.clock.turn(2 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == []


@pytest.mark.parametrize("seconds", [59.0, -59.0])
async def test_a_step_of_less_than_a_minute_is_no_jump(parts: Parts, seconds: float) -> None:
    jump(parts.clock, seconds)
    assert parts.watch.may_act()
    assert await parts.watch.may_prune()


async def test_a_clock_that_is_slewed_does_not_jump(parts: Parts) -> None:
    for _ in range(60):
        parts.clock.turn(HOUR)
        jump(parts.clock, 1.8)  # 500 millionths
        assert parts.watch.may_act()


async def test_small_clock_steps_add_up(parts: Parts) -> None:
    for _ in range(4):
        parts.clock.turn(1)
        jump(parts.clock, 20)
        last = parts.watch.may_act()
    assert not last


async def test_a_machine_that_has_slept_has_not_jumped(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        turned.turn(8 * HOUR)  # monotonic time stands still then, and nothing here looks at it
        assert parts.watch.may_act()


@pytest.mark.parametrize("seconds", [40 * DAY, -40 * DAY])
async def test_after_24_hours_of_running_the_clock_is_trusted(parts: Parts, seconds: float) -> None:
    jump(parts.clock, seconds)
    await run_for(parts, 24 * HOUR - 60)
    assert not parts.watch.may_act()
    await run_for(parts, 120)
    assert parts.watch.may_act()
    assert await parts.watch.may_prune()


async def test_another_jump_restarts_the_24_hours(parts: Parts) -> None:
    jump(parts.clock, 40 * DAY)
    await run_for(parts, 20 * HOUR)
    jump(parts.clock, 40 * DAY)
    await run_for(parts, 20 * HOUR)
    assert not parts.watch.may_act()


async def test_accepting_ends_the_wait_and_is_in_the_audit(parts: Parts) -> None:
    jump(parts.clock, 40 * DAY)
    assert await parts.watch.accept("ana@pts/3")
    assert parts.watch.may_act()
    assert await parts.watch.may_prune()
    assert not await parts.watch.accept("ana@pts/3")
    (row,) = await parts.audited("accept_clock")
    assert (row.actor, row.detail) == ("ana@pts/3", {"seconds_ahead": str(40 * DAY)})


async def test_pruning_continues_as_soon_as_the_clock_is_accepted(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await history(parts)
        await run_for(parts, 60)
    turned.turn(40 * DAY)
    async with manager_parts(tmp_path, turned) as parts:
        running = asyncio.create_task(parts.pruning.run())
        await asyncio.sleep(0)
        assert await parts.watch.accept("ana")
        async with asyncio.timeout(20):
            while await listed(parts):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize("seconds", [40 * DAY, -2 * DAY])
async def test_only_pruning_waits_after_a_start_far_from_the_stored_time(
    tmp_path: Path, seconds: float
) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        task_id = await history(parts)
        turned.turn(29 * DAY)
        await run_for(parts, 60)
    jump(turned, seconds)
    async with manager_parts(tmp_path, turned) as parts:
        await run_for(parts, 23 * HOUR)
        await parts.pruning.run_once()
        assert await listed(parts) == [task_id]
        assert parts.watch.may_act(), "schedules have a rule of their own for what was missed"
        assert not await parts.watch.may_prune()
        untrusted = parts.watch.untrusted
        assert untrusted
        assert not untrusted.jumped
    async with manager_parts(tmp_path, turned) as parts:
        assert not await parts.watch.may_prune()
        await run_for(parts, HOUR + 60)  # the hours of the run before count too
        assert await parts.watch.may_prune()


async def test_another_start_far_from_the_stored_time_restarts_the_24_hours(
    tmp_path: Path,
) -> None:
    """This clock may be wrong by years, however long the one before it was waited for."""
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await run_for(parts, 60)
    for _ in range(4):
        turned.turn(40 * HOUR)
        async with manager_parts(tmp_path, turned) as parts:
            await run_for(parts, 8 * HOUR)
            untrusted = parts.watch.untrusted
            assert untrusted
            assert untrusted.waits == timedelta(hours=16)
            assert not await parts.watch.may_prune()


async def test_a_clock_that_jumped_stays_untrusted_over_a_restart(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        task_id = await history(parts)
        jump(turned, 40 * DAY)
        await run_for(parts, 300)
    async with manager_parts(tmp_path, turned) as parts:
        await parts.pruning.run_once()
        assert await listed(parts) == [task_id]
        jump(turned, -40 * DAY)
        assert await parts.watch.may_prune()


async def test_the_clock_is_trusted_at_a_start_within_a_day_of_the_stored_time(
    tmp_path: Path,
) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await run_for(parts, 60)
    turned.turn(23 * HOUR)
    async with manager_parts(tmp_path, turned) as parts:
        assert await parts.watch.may_prune()


async def test_a_clock_that_is_back_near_the_stored_time_is_trusted(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await run_for(parts, 60)
    jump(turned, 40 * DAY)
    async with manager_parts(tmp_path, turned) as parts:
        assert not await parts.watch.may_prune()
        jump(turned, -40 * DAY)
        assert await parts.watch.may_prune()
        assert parts.watch.may_act()


async def test_tasks_that_ran_while_the_clock_was_behind_are_kept(parts: Parts) -> None:
    before = await history(parts)
    jump(parts.clock, -YEAR)
    await parts.watch.run_once()
    meanwhile = await history(parts)
    parts.clock.turn(20)
    jump(parts.clock, YEAR)
    await parts.pruning.run_once()
    assert await listed(parts) == [meanwhile, before]
    await run_for(parts, 60)
    parts.clock.turn(29 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == [meanwhile, before]
    parts.clock.turn(2 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == []


async def test_tasks_that_ran_before_the_clock_was_corrected_are_kept(parts: Parts) -> None:
    """From the first start the clock was behind; the operator says that it is right now."""
    task_id = await history(parts)
    parts.clock.turn(60)
    jump(parts.clock, 40 * DAY)
    assert await parts.watch.accept("ana")
    await parts.pruning.run_once()
    assert await listed(parts) == [task_id]
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == []


async def test_tasks_that_ran_while_the_clock_was_behind_are_kept_over_restarts(
    tmp_path: Path,
) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        jump(turned, -YEAR)
        await run_for(parts, 60)
        first = await history(parts)
    async with manager_parts(tmp_path, turned) as parts:
        second = await history(parts)
        await run_for(parts, 60)
    jump(turned, YEAR)
    async with manager_parts(tmp_path, turned) as parts:
        assert await parts.watch.may_prune()
        await parts.pruning.run_once()
        assert await listed(parts) == [second, first]


async def test_a_delivery_timeout_is_a_duration(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.hosts.close_session(host.host_id, host.generation, "gone")
    spec = TaskSpec(
        "@all",
        (CommandSpec("true"),),
        offline=Offline.WAIT,
        delivery_timeout=timedelta(hours=1),
    )
    task_id = await parts.tasks.create_task(spec)
    await parts.tasks.start_task(task_id)
    for seconds in (40 * DAY, -80 * DAY, 40 * DAY):
        jump(parts.clock, seconds)
        await parts.silence.run_once()
        assert (await parts.rows(task_id))[0].status is CommandHostStatus.PENDING
    parts.clock.turn(HOUR + 1)
    await parts.silence.run_once()
    assert (await parts.rows(task_id))[0].status is CommandHostStatus.FAILED


async def test_one_look_of_pruning_has_one_row_in_the_audit(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_manager.storage.maintenance.pruning.TASKS", 2)
    host = await parts.connect("web01")
    for _ in range(5):
        await ended(parts, host.host_id)
    parts.clock.turn(31 * DAY)
    await parts.pruning.run_once()
    assert await listed(parts) == []
    (row,) = await parts.audited("prune_tasks")
    assert row.detail["tasks"] == "5"


def said(parts: Parts) -> tuple[str, ...]:
    counts = HostCounts(0, 0, 0)
    return tuple(alert.text for alert in attention(parts.core, counts, parts.watch.untrusted))


async def test_the_operator_sees_why_the_clock_is_untrusted(parts: Parts) -> None:
    jump(parts.clock, 40 * DAY)
    await parts.watch.run_once()
    (sentence,) = said(parts)
    assert sentence == (
        "The clock jumped 40 d ahead while the manager ran. Schedules start no task, and old "
        "history is not removed, until the clock is back or the manager has run for 24 h. If the "
        "clock is right, run: tui-manager clock accept"
    )
    jump(parts.clock, -40 * DAY)
    await parts.watch.run_once()
    assert said(parts) == ()


async def test_a_start_far_from_the_stored_time_is_reported(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await run_for(parts, 60)
    jump(turned, -2 * DAY)
    async with manager_parts(tmp_path, turned) as parts:
        (sentence,) = said(parts)
        assert sentence.startswith("The clock is 2 d behind the time that the manager stored last.")
