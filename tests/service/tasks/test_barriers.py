"""Barriers: hosts of a batch wait for each other before a step."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.managers.manager_parts import spec
from tests.support.managers.rollouts import (
    COMPLETED,
    FAILED,
    UNDELIVERABLE,
    Fleet,
    host_names,
    rollout,
)
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, OnFailure, TaskSpec
from tui_manager.domain.tasks.task import RolloutProgress
from tui_manager.service.rollout import apply_decisions

ONE = CommandSpec("one")
TWO = CommandSpec("two", barrier=True)
CLEAN_UP = CommandSpec("clean up", always=True, barrier=True)
TIMEOUT = 600
WAIT: dict[str, Any] = {"offline": Offline.WAIT, "delivery_timeout": timedelta(seconds=TIMEOUT)}


async def _progress(fleet: Fleet, task_id: int) -> RolloutProgress:
    progress = (await fleet.task(task_id)).rollout
    assert progress
    return progress


async def _turn(fleet: Fleet, seconds: float) -> list[str]:
    """Time passes; returns who is sent something then."""
    fleet.parts.clock.turn(seconds)
    await fleet.parts.silence.run_once()
    return await fleet.take()


async def test_the_last_host_opens_it(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-003]", ONE, TWO)
    assert await fleet.answer("h002") == []
    assert await fleet.answer("h001") == []
    progress = await _progress(fleet, task_id)
    assert (progress.hosts_at_barrier, progress.hosts_under_way) == (2, 1)
    assert await fleet.answer("h003") == host_names(3)
    progress = await _progress(fleet, task_id)
    assert (progress.hosts_at_barrier, progress.hosts_under_way) == (0, 3)
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.COMPLETED


async def test_a_host_that_has_failed_is_not_waited_for(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-003]", ONE, TWO)
    await fleet.answer("h001")
    await fleet.answer("h002", code=1)
    assert await fleet.answer("h003") == ["h001", "h003"]
    await fleet.finish()
    assert await fleet.counts(task_id) == {COMPLETED: 2, FAILED: 1}


async def test_the_failure_of_the_last_host_opens_it_too(fleet: Fleet) -> None:
    await fleet.start("h[001-002]", ONE, TWO)
    await fleet.answer("h001")
    assert await fleet.answer("h002", code=1) == ["h001"]


async def test_each_batch_has_its_own(fleet: Fleet) -> None:
    await fleet.start("h[001-004]", ONE, TWO, rollout=rollout(batches="2"))
    await fleet.answer("h001")
    assert await fleet.answer("h002") == ["h001", "h002"]
    await fleet.answer("h001")
    assert await fleet.answer("h002") == ["h003", "h004"]
    assert await fleet.answer("h003") == []
    assert await fleet.answer("h004") == ["h003", "h004"]


async def test_hosts_that_wait_there_need_no_place(fleet: Fleet) -> None:
    await fleet.start("h[001-004]", ONE, TWO, ONE, rollout=rollout(max_concurrency="2"))
    assert fleet.busy() == ["h001", "h002"]
    assert await fleet.answer("h001") == ["h003"]
    assert await fleet.answer("h002") == ["h004"]
    assert await fleet.answer("h003") == []
    assert await fleet.answer("h004") == ["h001", "h002"]  # in the order of the rollout
    assert await fleet.answer("h002") == ["h002"]  # its third step
    assert await fleet.answer("h002") == ["h003"]


async def test_the_first_of_two_opens_first(fleet: Fleet) -> None:
    """h001 has failed, and waits before the clean-up already."""
    task_id = await fleet.start("h[001-002]", ONE, TWO, CLEAN_UP)
    assert await fleet.answer("h001", code=1) == []
    assert (await fleet.states(task_id, 1))["h001"] == "skipped earlier_failed"
    assert (await _progress(fleet, task_id)).hosts_at_barrier == 1
    assert await fleet.answer("h002") == ["h002"]
    assert fleet.held["h002"][0].command.text == "two"
    assert await fleet.answer("h002", code=1) == ["h001", "h002"]
    await fleet.finish()
    assert set((await fleet.states(task_id, 2)).values()) == {COMPLETED}


async def test_before_the_first_step_nobody_waits(fleet: Fleet) -> None:
    """So a task has no rollout for that."""
    task_id = await fleet.start("h[001-002]", TWO, ONE)
    assert fleet.busy() == ["h001", "h002"]
    assert await fleet.answer("h001") == ["h001"]
    detail = await fleet.parts.tasks.get_task(task_id)
    assert (detail.rollout, detail.task.rollout) == (ALL_AT_ONCE, None)


async def test_it_is_no_rollout_that_was_asked_for(fleet: Fleet) -> None:
    """What a repeat of the request, and a re-run, compare and copy."""
    given, request = spec("h[001-002]", ONE, TWO), str(uuid4())
    first = await fleet.parts.tasks.create_task(given, request)
    assert await fleet.parts.tasks.create_task(given, request) == first
    assert (await fleet.parts.tasks.get_task(first)).rollout == ALL_AT_ONCE


def test_a_strict_budget_is_refused() -> None:
    limits = rollout(max_failures="1", strict=True)
    TaskSpec("@all", (TWO, ONE), rollout=limits).check()
    with pytest.raises(InvalidInputError, match="barrier") as error:
        TaskSpec("@all", (ONE, TWO), rollout=limits).check()
    assert error.value.field == "strict"


async def test_a_spent_budget_lets_hosts_that_have_begun_finish(fleet: Fleet) -> None:
    limits = rollout(max_failures="0", max_concurrency="2")
    task_id = await fleet.start("h[001-005]", ONE, TWO, rollout=limits)
    assert await fleet.answer("h001") == ["h003"]
    assert await fleet.answer("h002", code=1) == []
    assert await fleet.answer("h003") == ["h001", "h003"]
    await fleet.finish()
    counts = await fleet.counts(task_id)
    assert counts == {COMPLETED: 2, FAILED: 1, "skipped budget_spent": 2}


async def test_it_does_not_open_in_a_pause(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]", ONE, TWO)
    await fleet.answer("h001")
    await fleet.parts.tasks.pause_task(task_id)
    assert await fleet.answer("h002") == []
    assert (await _progress(fleet, task_id)).hosts_at_barrier == 2
    await fleet.parts.tasks.resume_task(task_id)
    assert await fleet.take() == ["h001", "h002"]


async def test_a_pause_while_it_opens(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that have not left it before the pause leave it after that, although others have."""
    task_id = await fleet.start("h[001-004]", ONE, TWO)
    for name in host_names(3):
        await fleet.answer(name)
    monkeypatch.setattr(apply_decisions, "STEPS_A_TRANSACTION", 2)
    loop, tasks = fleet.parts.rollout_loop, fleet.parts.tasks
    plan = loop._plan

    async def pause_then(*given: Any) -> apply_decisions.Planned:
        planned = await plan(*given)
        monkeypatch.setattr(loop, "_plan", plan)
        await tasks.pause_task(task_id)
        return planned

    monkeypatch.setattr(loop, "_plan", pause_then)
    assert await fleet.answer("h004") == []
    progress = await _progress(fleet, task_id)
    assert (progress.hosts_at_barrier, progress.hosts_waiting) == (2, 2)
    await tasks.resume_task(task_id)
    assert await fleet.take() == host_names(4)


async def test_a_cancel_ends_hosts_that_wait_there(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]", ONE, TWO, CLEAN_UP)
    await fleet.answer("h001")
    await fleet.parts.tasks.cancel_task(task_id)
    assert (await fleet.states(task_id, 1))["h001"] == "canceled canceled"
    assert (await fleet.states(task_id, 2))["h001"] == "canceled canceled"
    assert await fleet.answer("h002", code=1) == []
    assert (await fleet.task(task_id)).status is TaskStatus.CANCELED


@pytest.mark.parametrize("waits_there", ["h001", "h002"])
async def test_a_host_that_is_revoked_is_not_waited_for(fleet: Fleet, waits_there: str) -> None:
    """Whether it waits at the barrier or has not come there."""
    other = "h002" if waits_there == "h001" else "h001"
    task_id = await fleet.start("h[001-003]", ONE, TWO, ONE)
    await fleet.answer(waits_there)
    await fleet.answer("h003")
    await fleet.parts.admission.revoke([fleet.sessions["h001"].host_id], "ana")
    await fleet.disconnect(["h001"])
    if waits_there == "h001":
        assert await fleet.take() == []
        assert (await fleet.states(task_id, 1))["h001"] == UNDELIVERABLE
        assert await fleet.answer(other) == ["h002", "h003"]
    else:
        assert await fleet.take() == ["h002", "h003"]
    fleet.held["h001"].clear()
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED


async def test_a_host_that_is_offline_when_it_opens_is_waited_for(fleet: Fleet) -> None:
    """As any host between two steps: for `lost_after`."""
    task_id = await fleet.start("h[001-002]", ONE, TWO, ONE)
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    lost_after = fleet.parts.limits.lost_after.total_seconds()
    assert await _turn(fleet, 10 * lost_after) == []
    assert await fleet.answer("h002") == ["h002"]
    await _turn(fleet, lost_after - 1)
    assert (await fleet.states(task_id, 1))["h001"] == "pending"
    await _turn(fleet, 1)
    assert (await fleet.states(task_id, 1))["h001"] == UNDELIVERABLE
    assert (await fleet.states(task_id, 2))["h001"] == "skipped earlier_failed"


async def test_the_delivery_timeout_begins_when_it_opens(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]", ONE, TWO, **WAIT)
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    await _turn(fleet, 10 * TIMEOUT)
    await fleet.answer("h002")
    await _turn(fleet, TIMEOUT - 1)
    assert (await fleet.states(task_id, 1))["h001"] == "pending"
    await _turn(fleet, 1)
    assert (await fleet.states(task_id, 1))["h001"] == UNDELIVERABLE


@pytest.mark.parametrize("given", [{}, WAIT], ids=["fail", "wait"])
async def test_a_host_that_comes_back_goes_on(fleet: Fleet, given: dict[str, Any]) -> None:
    task_id = await fleet.start("h[001-002]", ONE, TWO, **given)
    await fleet.answer("h001")
    await fleet.disconnect(["h001"])
    await fleet.answer("h002")
    await fleet.connect(["h001"])
    assert await fleet.take() == ["h001"]
    await fleet.finish()
    assert (await fleet.task(task_id)).status is TaskStatus.COMPLETED


async def test_the_delivery_timeout_of_a_host_that_waits_for_a_place_stands_still(
    fleet: Fleet,
) -> None:
    """The barrier is open, and the host is there; it runs when the host goes."""
    limits = rollout(max_concurrency="1")
    task_id = await fleet.start("h[001-002]", ONE, TWO, rollout=limits, **WAIT)
    await fleet.answer("h001")
    assert await fleet.answer("h002") == ["h001"]
    await _turn(fleet, 10 * TIMEOUT)
    assert (await fleet.states(task_id, 1))["h002"] == "pending"
    await fleet.disconnect(["h002"])
    await fleet.take()
    await _turn(fleet, TIMEOUT - 1)
    assert (await fleet.states(task_id, 1))["h002"] == "pending"
    await _turn(fleet, 1)
    assert (await fleet.states(task_id, 1))["h002"] == UNDELIVERABLE


async def test_a_host_that_runs_again_is_waited_for(fleet: Fleet) -> None:
    """It was lost, the others wait, and it is back before the barrier has opened."""
    task_id = await fleet.start("h[001-003]", ONE, TWO)
    await fleet.answer("h001")
    await fleet.disconnect(["h002"])
    await _turn(fleet, fleet.parts.limits.lost_after.total_seconds())
    assert (await fleet.states(task_id))["h002"] == "failed agent_lost"
    await fleet.connect(["h002"])
    assert (await fleet.states(task_id))["h002"] == "running"
    assert await fleet.answer("h003") == []
    assert await fleet.answer("h002") == ["h001", "h003"]  # nothing follows an unknown end
    assert (await fleet.states(task_id, 1))["h002"] == "skipped earlier_failed"


@pytest.mark.usefixtures("units_run_once")
async def test_ten_hosts_leave_it_in_small_transactions(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.start("@all", ONE, TWO)
    for name in host_names(9):
        await fleet.answer(name)
    monkeypatch.setattr(apply_decisions, "STEPS_A_TRANSACTION", 3)
    plan, moved = apply_decisions.plan, []

    def noted(*given: Any) -> apply_decisions.Planned:
        planned = plan(*given)
        moved.append(len(planned.away) + len(planned.begun))
        return planned

    monkeypatch.setattr(apply_decisions, "plan", noted)
    assert await fleet.answer("h010") == host_names(10)
    assert (sum(moved), max(moved)) == (20, 3)


async def test_a_rerun_repeats_steps_with_all_their_rules(fleet: Fleet) -> None:
    steps = (
        CommandSpec("one", name="first", on_failure=OnFailure.CONTINUE),
        CommandSpec("two", barrier=True),
        CommandSpec("three", always=True),
    )
    task_id = await fleet.start("h[001-002]", *steps)
    await fleet.answer("h001", code=1)
    assert await fleet.answer("h002") == ["h001", "h002"]
    await fleet.finish()
    rerun = await fleet.parts.tasks.rerun_task(task_id, actor="ana")
    detail = await fleet.parts.tasks.get_task(rerun.task_id)
    assert tuple(command.spec for command in detail.commands) == steps
    await fleet.parts.tasks.start_task(rerun.task_id)
    assert await fleet.take() == ["h001"]  # one failed step is a failed host
    assert (await _progress(fleet, rerun.task_id)).batches == 1
