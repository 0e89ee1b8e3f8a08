"""Times for which a rollout waits for a host: they run while it is away, and in no pause."""

from datetime import timedelta

import pytest

from tests.support.managers.rollouts import UNDELIVERABLE, Fleet, rollout
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_spec import Offline

TIMEOUT = 600
WAIT = {"offline": Offline.WAIT, "delivery_timeout": timedelta(seconds=TIMEOUT)}


async def _turn(fleet: Fleet, seconds: float) -> list[str]:
    """Time passes; returns who is sent something then."""
    fleet.parts.clock.turn(seconds)
    await fleet.parts.silence.run_once()
    return await fleet.take()


async def _come(fleet: Fleet, name: str) -> list[str]:
    await fleet.connect([name])
    return await fleet.take()


async def _go(fleet: Fleet, name: str) -> None:
    await fleet.disconnect([name])
    assert await fleet.take() == []


@pytest.mark.parametrize(
    "limits", [rollout(max_concurrency="1"), rollout(max_failures="0", strict=True)]
)
async def test_a_host_that_waits_for_a_place_is_not_undeliverable(
    fleet: Fleet, limits: RolloutSpec
) -> None:
    await fleet.disconnect(["h001"])
    task_id = await fleet.start("h001,h002", rollout=limits, **WAIT)
    assert fleet.busy() == ["h002"]
    await _turn(fleet, 60)
    assert await _come(fleet, "h001") == []
    await _turn(fleet, 10 * TIMEOUT)
    assert (await fleet.states(task_id))["h001"] == "pending"
    assert await fleet.answer("h002") == ["h001"]


async def test_what_is_left_of_the_delivery_timeout_runs_when_the_host_goes_again(
    fleet: Fleet,
) -> None:
    await fleet.disconnect(["h001"])
    task_id = await fleet.start("h001,h002", rollout=rollout(max_concurrency="1"), **WAIT)
    await _turn(fleet, 60)
    for _ in range(2):
        await _come(fleet, "h001")
        await _turn(fleet, 10 * TIMEOUT)
        await _go(fleet, "h001")
        await _turn(fleet, 200)
    await _turn(fleet, TIMEOUT - 60 - 400 - 1)
    assert (await fleet.states(task_id))["h001"] == "pending"
    await _turn(fleet, 1)
    assert (await fleet.states(task_id))["h001"] == UNDELIVERABLE


async def test_it_stands_still_between_two_commands_too(fleet: Fleet) -> None:
    limits = rollout(max_concurrency="1")
    task_id = await fleet.start("h001,h002", "one", "two", rollout=limits, **WAIT)
    fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    assert await fleet.take() == ["h002"]
    fleet.parts.dispatcher.rooms.clear()
    await _come(fleet, "h001")
    await _turn(fleet, 10 * TIMEOUT)
    assert (await fleet.states(task_id, 1))["h001"] == "pending"
    await fleet.answer("h002")
    assert await fleet.answer("h002") == ["h001"]


async def test_what_is_left_is_not_less_after_a_pause(fleet: Fleet) -> None:
    """The host comes, and goes, in a pause."""
    await fleet.disconnect(["h001"])
    task_id = await fleet.start("h001,h002", rollout=rollout(max_concurrency="1"), **WAIT)
    await _turn(fleet, 60)
    await fleet.parts.tasks.pause_task(task_id)
    await _turn(fleet, 5000)
    await _come(fleet, "h001")
    await _turn(fleet, 5000)
    await _go(fleet, "h001")
    await _turn(fleet, 5000)
    await fleet.parts.tasks.resume_task(task_id)
    await _turn(fleet, TIMEOUT - 60 - 1)
    assert (await fleet.states(task_id))["h001"] == "pending"
    await _turn(fleet, 1)
    assert (await fleet.states(task_id))["h001"] == UNDELIVERABLE


async def test_a_wait_that_begins_in_a_pause_is_as_long_as_another(fleet: Fleet) -> None:
    task_id = await fleet.start("h001,h002", "one", "two", rollout=rollout(batches="1"))
    await fleet.parts.tasks.pause_task(task_id)
    await fleet.report("h001")
    await _turn(fleet, 3 * 86400)
    await _go(fleet, "h001")
    await _turn(fleet, 86400)
    await fleet.parts.tasks.resume_task(task_id)
    await fleet.take()
    lost_after = fleet.parts.limits.lost_after.total_seconds()
    await _turn(fleet, lost_after - 1)
    assert (await fleet.states(task_id, 1))["h001"] == "pending"
    assert await _turn(fleet, 1) == ["h002"]
    assert (await fleet.states(task_id, 1))["h001"] == UNDELIVERABLE


@pytest.mark.parametrize("with_rollout", [False, True])
async def test_a_delivery_timeout_of_what_was_sent_stands_still_in_a_pause(
    fleet: Fleet, with_rollout: bool
) -> None:
    """The stream breaks before the command arrives, so it has not begun."""
    limits = rollout(batches="rest" if with_rollout else "")
    task_id = await fleet.start("h001,h002", rollout=limits, **WAIT)
    await fleet.disconnect(["h001"])
    fleet.held["h001"].clear()
    await fleet.parts.tasks.pause_task(task_id)
    for _ in range(3):
        await _turn(fleet, TIMEOUT)
    assert (await fleet.states(task_id))["h001"] == "pending"
    await fleet.parts.tasks.resume_task(task_id)
    await _turn(fleet, TIMEOUT - 1)
    assert (await fleet.states(task_id))["h001"] == "pending"
    await _turn(fleet, 1)
    assert (await fleet.states(task_id))["h001"] == "failed agent_lost"
