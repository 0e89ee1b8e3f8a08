"""Cancelling a task on some of its hosts: it goes on with the others."""

from datetime import timedelta

import pytest

from tests.support.managers.manager_parts import spec
from tests.support.managers.rollouts import COMPLETED, Fleet, host_names, rollout
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason, TaskStatus
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline

CANCELED = "canceled canceled"
BARRIER = CommandSpec("second", barrier=True)


async def _cancel(fleet: Fleet, task_id: int, *names: str) -> list[str]:
    """Cancels the task on these hosts; returns the names of the hosts that were sent something
    then."""
    host_ids = [fleet.sessions[name].host_id for name in names]
    await fleet.parts.tasks.cancel_task(task_id, "ana@tty1", host_ids)
    return await fleet.take()


async def _prove(fleet: Fleet, *names: str) -> list[str]:
    """These hosts killed the oldest of what they hold."""
    for name in names:
        await fleet.report_end(name, Status.CANCELED, Reason.CANCELED)
    return await fleet.take()


async def test_the_task_goes_on_with_the_other_hosts(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-003]", "first", "second")
    held = fleet.held["h001"][0]
    await fleet.parts.report(
        fleet.sessions["h001"].host_id, Started(held.execution_id, timedelta(0))
    )
    await _cancel(fleet, task_id, "h001")
    assert fleet.parts.dispatcher.cancels == [(fleet.sessions["h001"].host_id, held.execution_id)]
    assert (await fleet.states(task_id))["h001"] == "running"
    assert await fleet.states(task_id, command=1) == {
        "h001": CANCELED, "h002": "pending", "h003": "pending"
    }  # fmt: skip
    assert not (await fleet.task(task_id)).canceling
    assert await _prove(fleet, "h001") == []
    await fleet.finish()
    states = await fleet.states(task_id)
    assert states == {"h001": CANCELED, "h002": COMPLETED, "h003": COMPLETED}
    detail = await fleet.parts.tasks.get_task(task_id)
    assert detail.task.status is TaskStatus.FAILED
    assert [command.status for command in detail.commands] == [Status.FAILED, Status.FAILED]


async def test_a_step_that_completes_before_the_cancel_lets_nothing_follow(fleet: Fleet) -> None:
    always = CommandSpec("clean up", always=True)
    task_id = await fleet.start("h[001-002]", "first", always)
    await _cancel(fleet, task_id, "h001")
    assert await fleet.answer("h001") == []
    await fleet.finish()
    assert await fleet.states(task_id) == {"h001": COMPLETED, "h002": COMPLETED}
    assert await fleet.states(task_id, command=1) == {"h001": CANCELED, "h002": COMPLETED}


async def test_a_task_whose_last_hosts_are_canceled_ends(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]")
    await fleet.answer("h001")
    await _cancel(fleet, task_id, "h002")
    await _prove(fleet, "h002")
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED


async def test_a_paused_task_stays_paused(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(max_concurrency="1"))
    await fleet.parts.tasks.pause_task(task_id)
    await _cancel(fleet, task_id, "h002", "h003")
    assert (await fleet.task(task_id)).paused
    await fleet.parts.tasks.resume_task(task_id)
    assert await fleet.answer("h001") == ["h004"]


async def test_batches_go_on_without_canceled_hosts_and_they_cost_no_budget(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="2,rest", max_failures="0"))
    assert fleet.busy() == ["h001", "h002"]
    assert await _cancel(fleet, task_id, "h002", "h003") == []
    await fleet.answer("h001")
    assert await _prove(fleet, "h002") == host_names(10)[3:]
    progress = (await fleet.task(task_id)).rollout
    assert progress
    assert (progress.hosts_failed, progress.hosts_waiting, progress.hosts_under_way) == (0, 0, 7)


async def test_a_batch_that_is_canceled_as_a_whole_is_passed_over(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1"))
    await _cancel(fleet, task_id, "h002", "h003")
    assert await fleet.answer("h001") == ["h004"]


async def test_a_hold_stays_until_an_operator_ends_it(fleet: Fleet) -> None:
    task_id = await fleet.start(rollout=rollout(batches="1,rest", hold=HoldRule.FIRST))
    await fleet.answer("h001")
    await _cancel(fleet, task_id, "h002")
    assert (await fleet.task(task_id)).hold
    await _cancel(fleet, task_id, *host_names(10)[2:])
    task = await fleet.task(task_id)
    assert (task.hold, task.status) == (None, TaskStatus.FAILED)


async def test_a_barrier_opens_when_the_hosts_before_it_are_canceled(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-003]", "first", BARRIER)
    assert await fleet.answer("h001") == []
    assert await _cancel(fleet, task_id, "h002") == []
    assert await _prove(fleet, "h002") == []
    assert await fleet.answer("h003") == ["h001", "h003"]
    await fleet.finish()
    assert (await fleet.states(task_id, command=1))["h002"] == CANCELED


async def test_a_host_that_waits_at_a_barrier_ends_there(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]", "first", BARRIER)
    await fleet.answer("h001")
    await _cancel(fleet, task_id, "h001")
    assert await fleet.answer("h002") == ["h002"]
    assert (await fleet.states(task_id, command=1))["h001"] == CANCELED


async def test_hosts_that_are_waited_for_end_at_once(fleet: Fleet) -> None:
    await fleet.disconnect(["h001", "h003"])
    await fleet.parts.started("@all", offline=Offline.WAIT, rollout=rollout(max_concurrency="2"))
    await fleet.take()
    (task_id,) = [task.task_id for task in (await fleet.parts.tasks.list_tasks(Window())).rows]
    await _cancel(fleet, task_id, "h001", "h003")
    assert (await fleet.states(task_id))["h001"] == CANCELED
    await fleet.connect(["h001", "h003"])
    assert "h001" not in await fleet.take()
    await fleet.finish()
    assert (await fleet.counts(task_id)) == {COMPLETED: 8, CANCELED: 2}


async def test_a_returning_agent_without_the_command_ends_only_its_own_rows(fleet: Fleet) -> None:
    """What was sent and never arrived is canceled on this host, not on those that wait."""
    task_id = await fleet.start("h[001-003]", rollout=rollout(max_concurrency="1"))
    await fleet.disconnect(["h001"])
    await _cancel(fleet, task_id, "h001")
    fleet.held["h001"].clear()
    await fleet.connect(["h001"])
    assert await fleet.take() == ["h002"]
    states = await fleet.states(task_id)
    assert states == {"h001": CANCELED, "h002": "pending", "h003": "pending"}


async def test_what_no_session_took_is_canceled_on_its_host_only(fleet: Fleet) -> None:
    """The cancel comes between the claim of the command and the news that no session took it."""
    parts = fleet.parts
    task_id = await parts.tasks.create_task(spec("h[001-002]"))
    await parts.tasks.start_task(task_id)
    session = parts.dispatch.ready_session(fleet.sessions["h001"].host_id)
    assert session
    claimed = await parts.database.write(lambda tx: parts.dispatch.claim_for(tx, [session]))
    await parts.tasks.cancel_task(task_id, "ana@tty1", [session.host_id])
    parts.dispatcher.broken.add(session.host_id)
    await parts.dispatch.mark_unsent(await parts.dispatch.hand_over(claimed))
    assert await fleet.states(task_id) == {"h001": CANCELED, "h002": "pending"}


async def test_an_agent_that_comes_back_is_told_again(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-002]")
    await fleet.disconnect(["h001"])
    await _cancel(fleet, task_id, "h001")
    (held,) = fleet.held["h001"]
    await fleet.connect(["h001"])
    resumes = fleet.sessions["h001"].resumes
    assert [(one.execution_id, one.action) for one in resumes] == [(held.execution_id, "cancel")]


async def test_the_audit_names_the_task_and_the_hosts(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-004]")
    await _cancel(fleet, task_id, "h001", "h002", "h003")
    (entry,) = await fleet.parts.audited("cancel_hosts")
    assert (entry.actor, entry.action, entry.task_id) == ("ana@tty1", "cancel_hosts", task_id)
    assert (entry.detail["names"], entry.detail["told"]) == ("h[001-003]", "3")


async def test_what_has_ended_stays_and_it_is_an_error_only_if_nothing_is_left(
    fleet: Fleet,
) -> None:
    task_id = await fleet.start("h[001-003]")
    await fleet.answer("h001")
    with pytest.raises(IllegalMoveError, match=f"Task {task_id} has ended already on h001"):
        await _cancel(fleet, task_id, "h001")
    await _cancel(fleet, task_id, "h001", "h002")
    await _cancel(fleet, task_id, "h001", "h002")  # the agent is told again
    assert len(fleet.parts.dispatcher.cancels) == 2
    await _prove(fleet, "h002")
    states = await fleet.states(task_id)
    assert states == {"h001": COMPLETED, "h002": CANCELED, "h003": "pending"}


async def test_a_host_that_the_task_does_not_have_is_an_error(fleet: Fleet) -> None:
    task_id = await fleet.start("h[001-003]")
    with pytest.raises(InvalidInputError, match=f"Task {task_id} has no host with the id") as got:
        await _cancel(fleet, task_id, "h001", "h004")
    assert got.value.field == "host_ids"
    assert fleet.parts.dispatcher.cancels == []


@pytest.mark.parametrize("starts", [False, True])
async def test_only_a_running_task_is_canceled_on_some_hosts(fleet: Fleet, starts: bool) -> None:
    task_id = await fleet.parts.tasks.create_task(spec("h001"))
    state = "pending"
    if starts:
        await fleet.parts.tasks.start_task(task_id)
        await fleet.take()
        await fleet.answer("h001")
        state = "completed"
    with pytest.raises(IllegalMoveError, match=f"cannot be canceled on some hosts: it is {state}"):
        await _cancel(fleet, task_id, "h001")
