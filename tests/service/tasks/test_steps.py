"""Steps of a task on real services: what follows each end, with each rule of the steps."""

import itertools
from dataclasses import dataclass, replace

import pytest

from tests.support.managers.manager_parts import Parts
from tests.support.managers.rollouts import Fleet
from tests.support.managers.step_ends import COMPLETED, ENDS, KNOWN_FAILURES
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure, TaskSpec
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.storage.views.host_classes import task_hosts

RULES = list(itertools.product(OnFailure, (False, True), (False, True)))  # always, barrier
ROLLOUTS = [ALL_AT_ONCE, RolloutSpec(max_concurrency="2")]
LOST_AFTER = 300
# What no result says: the manager finds it out.
GUESSES = (
    Reason.AGENT_LOST,
    Reason.AGENT_STATE_LOST,
    Reason.CANCEL_UNCONFIRMED,
    Reason.UNDELIVERABLE,
)


@pytest.fixture
async def fleet(parts: Parts) -> Fleet:
    """Two hosts."""
    made = Fleet(parts)
    await made.connect(["h001", "h002"])
    return made


@dataclass
class Trial:
    """One task of three steps. The first one ends on h001 in some way, and h002 is slower."""

    task_id: int
    on_failure: OnFailure
    always: bool
    barrier: bool


async def _start(fleet: Fleet, rollout: RolloutSpec) -> list[Trial]:
    trials = []
    for on_failure, always, barrier in RULES:
        steps = (
            CommandSpec("first", on_failure=on_failure),
            CommandSpec("second", always=always, barrier=barrier),
            CommandSpec("third"),
        )
        task_id = await fleet.parts.tasks.create_task(TaskSpec("@all", steps, rollout=rollout))
        await fleet.parts.tasks.start_task(task_id)
        trials.append(Trial(task_id, on_failure, always, barrier))
    await fleet.take()
    return trials


async def _states(fleet: Fleet, trial: Trial, host: str) -> list[str]:
    """The states of the three steps on a host; a step that was sent is called so."""
    await fleet.task(trial.task_id)
    rows = [row for row in await fleet.parts.rows(trial.task_id) if row.host == host]
    return [
        "sent" if row.sent_at and not row.status.ended else f"{row.status} {row.reason}".strip()
        for row in sorted(rows, key=lambda row: row.command)
    ]


async def _end_first(fleet: Fleet, status: CommandHostStatus, reason: Reason) -> None:
    """The first steps of all tasks end on h001."""
    host_id, parts = fleet.sessions["h001"].host_id, fleet.parts
    if reason is Reason.AGENT_STATE_LOST:
        fleet.held["h001"].clear()
        await fleet.disconnect(["h001"])
        await parts.connect("h001", host_id=host_id, journal_id="another")
        parts.hosts.session_ready(host_id)
    elif reason in GUESSES:
        fleet.held["h001"].clear()
        await fleet.disconnect(["h001"])
        await fleet.take()
        parts.clock.turn(LOST_AFTER)
        await parts.silence.run_once()
    else:
        await fleet.report_all("h001", status, reason)
    await fleet.take()


def _second(trial: Trial, end: tuple[Status, Reason]) -> tuple[str, str]:
    """What becomes of the second and the third step."""
    goes_on = end in COMPLETED or (end in KNOWN_FAILURES and trial.on_failure is OnFailure.CONTINUE)
    if goes_on:
        return "sent", "pending"
    runs = end in KNOWN_FAILURES and trial.always
    return "sent" if runs else "skipped earlier_failed", "skipped earlier_failed"


# How a step ends that nobody canceled; and how one can end that was sent and canceled.
REPORTED = [end for end in ENDS if end[1] not in (Reason.CANCELED, Reason.CANCEL_UNCONFIRMED)]
CANCELED = [end for end in ENDS if end[1] not in (Reason.AGENT_LOST, Reason.UNDELIVERABLE)]


@pytest.mark.parametrize("rollout", ROLLOUTS, ids=["plain", "rollout"])
@pytest.mark.parametrize(("status", "reason"), REPORTED)
async def test_each_end_of_a_step_with_each_rule(
    fleet: Fleet, status: Status, reason: Reason, rollout: RolloutSpec
) -> None:
    if reason is Reason.UNDELIVERABLE:  # only what was not sent ends so
        fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
    trials = await _start(fleet, rollout)
    await _end_first(fleet, status, reason)
    ended = f"{status} {reason}".strip()
    for trial in trials:
        second, third = _second(trial, (status, reason))
        waits = "pending" if trial.barrier and second == "sent" else second
        assert await _states(fleet, trial, "h001") == [ended, waits, third], trial
    assert {run.command.text for run in fleet.held["h002"]} == {"first"}
    await fleet.report_all("h002")
    await fleet.take()
    for trial in trials:
        second, third = _second(trial, (status, reason))
        assert await _states(fleet, trial, "h001") == [ended, second, third], trial
    await fleet.finish_together()
    for trial in trials:
        task = await fleet.task(trial.task_id)
        completed = status is Status.COMPLETED
        assert task.status is (TaskStatus.COMPLETED if completed else TaskStatus.FAILED), trial


@pytest.mark.parametrize("rollout", ROLLOUTS, ids=["plain", "rollout"])
@pytest.mark.parametrize(("status", "reason"), CANCELED)
async def test_nothing_follows_a_cancel(
    fleet: Fleet, status: Status, reason: Reason, rollout: RolloutSpec
) -> None:
    """However the step ends that ran when the cancel came."""
    trials = await _start(fleet, rollout)
    for trial in trials:
        await fleet.parts.tasks.cancel_task(trial.task_id)
    await _end_first(fleet, status, reason)
    ended = f"{status} {reason}".strip()
    for trial in trials:
        left = ["canceled canceled"] * 2
        assert await _states(fleet, trial, "h001") == [ended, *left], trial
    assert fleet.held["h001"] == []


async def test_a_step_that_its_agent_cannot_run_is_a_known_failure(fleet: Fleet) -> None:
    """The manager rejects it instead of the agent, and sends what follows."""
    limited = CommandSpec("two", limits=ResourceLimits(tasks_max=9))
    rules = (replace(limited, on_failure=OnFailure.CONTINUE), limited)
    steps = (*rules, CommandSpec("three"), CommandSpec("four", always=True))
    task_id = await fleet.start("h001", *steps)
    assert [run.command.text for run in fleet.held["h001"]] == ["four"]
    states = [(await fleet.states(task_id, step))["h001"] for step in range(4)]
    rejected, skipped = "failed rejected", "skipped earlier_failed"
    assert states == [rejected, rejected, skipped, "pending"]


async def test_a_host_that_is_offline_at_the_start_cleans_nothing_up(fleet: Fleet) -> None:
    """It was not reached, so there is nothing to clean up."""
    steps = (CommandSpec("one", on_failure=OnFailure.CONTINUE), CommandSpec("two", always=True))
    await fleet.disconnect(["h001"])
    task_id = await fleet.start("@all", *steps)
    assert (await fleet.states(task_id))["h001"] == "failed undeliverable"
    assert (await fleet.states(task_id, 1))["h001"] == "skipped earlier_failed"


@pytest.mark.parametrize("ended", [False, True], ids=["runs_again", "late"])
async def test_what_comes_from_a_lost_host_lets_nothing_run(fleet: Fleet, ended: bool) -> None:
    """Not even a step that is `always`: nobody may see it run hours later."""
    steps = (CommandSpec("one", on_failure=OnFailure.CONTINUE), CommandSpec("two", always=True))
    task_id = await fleet.start("h001", *steps)
    await fleet.disconnect(["h001"])
    fleet.parts.clock.turn(LOST_AFTER)
    await fleet.parts.silence.run_once()
    await fleet.connect(["h001"], ended=ended)
    assert await fleet.answer("h001", code=1) == []
    assert [row.late for row in await fleet.parts.rows(task_id)] == [ended, False]
    assert await fleet.states(task_id) == {"h001": "failed exit_code"}
    assert await fleet.states(task_id, 1) == {"h001": "skipped earlier_failed"}


async def test_a_host_with_one_failed_step_has_failed(fleet: Fleet) -> None:
    """In the budget, in the task, and for a re-run."""
    steps = (CommandSpec("one", on_failure=OnFailure.CONTINUE), CommandSpec("two"))
    limits = RolloutSpec(max_failures="0", max_concurrency="1")
    task_id = await fleet.start("@all", *steps, rollout=limits)
    await fleet.answer("h001", code=1)
    await fleet.answer("h001")
    assert (await fleet.states(task_id))["h002"] == "skipped budget_spent"
    assert (await fleet.task(task_id)).status is TaskStatus.FAILED
    classes = await fleet.parts.database.read(lambda tx: task_hosts(tx, task_id))
    assert {host.name: host.host_class for host in classes} == {
        "h001": HostClass.FAILED,
        "h002": HostClass.UNREACHED,
    }
