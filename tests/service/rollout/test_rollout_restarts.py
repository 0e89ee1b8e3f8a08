"""Rollouts over restarts of the manager: each goes on exactly where it was."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.managers.manager_parts import TurnedClock, manager_parts, result, spec
from tests.support.managers.rollouts import (
    COMPLETED,
    FAILED,
    SPENT,
    UNDELIVERABLE,
    Fleet,
    host_names,
    rollout,
)
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline
from tui_manager.service.rollout import apply_decisions
from tui_manager.service.rollout.rollout_loop import RolloutLoop


@dataclass
class Manager:
    """A manager that can be killed; its hosts keep what they hold."""

    folder: Path
    clock: TurnedClock = field(default_factory=TurnedClock)
    host_ids: dict[str, str] = field(default_factory=dict)
    held: dict[str, list[Run]] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def running(self, *, back: bool = True) -> AsyncIterator[Fleet]:
        """Runs it until the block is left, without a word to its hosts then.

        Args:
            back: the hosts that it had come back at once.
        """
        async with manager_parts(self.folder, self.clock, **self.limits) as parts:
            fleet = Fleet(parts, held=self.held)
            if back:
                await self.come_back(fleet, self.host_ids)
            yield fleet
            self.host_ids |= {name: opened.host_id for name, opened in fleet.sessions.items()}

    async def come_back(self, fleet: Fleet, names: Iterable[str]) -> None:
        """These hosts dial again, with what they hold."""
        await fleet.connect(names, self.host_ids)
        await fleet.take()


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


async def _begin(manager: Manager, count: int, *texts: str | CommandSpec, **given: Any) -> int:
    async with manager.running() as fleet:
        await fleet.connect(host_names(count))
        return await fleet.start("@all", *texts, **given)


async def test_a_kill_after_each_answer_changes_nothing(manager: Manager) -> None:
    spec = rollout(batches="1,3,rest", max_concurrency="2", max_failures="2")
    task_id = await _begin(manager, 9, "one", "two", rollout=spec)
    fails, began = {"h002", "h005", "h007"}, []
    while True:
        async with manager.running() as fleet:
            assert len(fleet.busy()) <= 2
            began += [name for name in fleet.busy() if name not in began]
            if not fleet.busy():
                break
            name = fleet.busy()[0]
            await fleet.answer(name, int(name in fails))
            await fleet.task(task_id)
    async with manager.running() as fleet:
        assert began == host_names(len(began))
        counts = await fleet.counts(task_id)
        assert (counts[FAILED], counts[COMPLETED] + counts[FAILED]) == (3, len(began))
        assert counts[SPENT] == 9 - len(began)
        assert (await fleet.task(task_id)).status is TaskStatus.FAILED


async def test_no_host_passes_a_barrier_early_over_a_kill_after_each_answer(
    manager: Manager,
) -> None:
    """h003 fails; all others wait for each other in their batches, and it cleans up with them."""
    spec = rollout(batches="1,4,rest", max_concurrency="2")
    steps = ("one", CommandSpec("two", barrier=True))
    clean_up = CommandSpec("clean up", always=True, barrier=True)
    task_id = await _begin(manager, 9, *steps, clean_up, rollout=spec)
    answered: list[tuple[str, str]] = []
    while True:
        async with manager.running() as fleet:
            assert len(fleet.busy()) <= 2
            if not fleet.busy():
                break
            name = fleet.busy()[0]
            answered.append((fleet.held[name][0].command.text, name))
            await fleet.answer(name, int(answered[-1] == ("one", "h003")))
            await fleet.task(task_id)
    batches = [host_names(1), host_names(5)[1:], host_names(9)[5:]]
    expected = []
    for batch in batches:
        expected += [("one", set(batch)), ("two", set(batch) - {"h003"}), ("clean up", set(batch))]
    grouped = [
        (text, {name for _, name in group})
        for text, group in itertools.groupby(answered, key=lambda one: one[0])
    ]
    assert grouped == expected


async def test_a_kill_after_each_transaction_that_opens_a_barrier(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_decisions, "STEPS_A_TRANSACTION", 2)
    task_id = await _begin(manager, 7, "one", CommandSpec("two", barrier=True))
    async with manager.running() as fleet:
        for name in fleet.busy()[1:]:
            await fleet.answer(name)
        await fleet.report("h001")
    plan = RolloutLoop._plan

    async def plan_once(self: RolloutLoop, *given: Any) -> apply_decisions.Planned:
        planned = await plan(self, *given)
        planned.unfinished = False  # nothing more happens before the kill
        return planned

    monkeypatch.setattr(RolloutLoop, "_plan", plan_once)
    at_barrier: list[int] = []
    while not at_barrier or at_barrier[-1]:
        async with manager.running(back=False) as fleet:
            await fleet.parts.rollout_loop.run_once()
            progress = (await fleet.task(task_id)).rollout
            assert progress
            at_barrier.append(progress.hosts_at_barrier)
    assert at_barrier == [5, 3, 1, 0]
    monkeypatch.setattr(RolloutLoop, "_plan", plan)
    async with manager.running() as fleet:
        await fleet.finish()
        assert (await fleet.task(task_id)).status is TaskStatus.COMPLETED


async def test_a_hold_goes_on_and_expires(manager: Manager) -> None:
    spec = rollout(batches="2", hold=HoldRule.EACH, hold_timeout=timedelta(hours=1))
    task_id = await _begin(manager, 4, rollout=spec)
    async with manager.running() as fleet:
        await fleet.finish()
    manager.clock.turn(3599)
    async with manager.running() as fleet:
        assert (await fleet.task(task_id)).hold
        assert fleet.busy() == []
    manager.clock.turn(1)
    async with manager.running() as fleet:
        assert await fleet.counts(task_id) == {COMPLETED: 2, "skipped hold_expired": 2}


async def test_a_hold_is_released_after_a_restart(manager: Manager) -> None:
    task_id = await _begin(manager, 4, rollout=rollout(batches="2", hold=HoldRule.EACH))
    async with manager.running() as fleet:
        await fleet.finish()
    async with manager.running() as fleet:
        await fleet.parts.tasks.resume_task(task_id)
        assert await fleet.take() == ["h003", "h004"]


async def test_hosts_that_were_online_are_waited_for_at_their_turn(manager: Manager) -> None:
    """h001 ended just before the manager was killed; the turn of the others comes when nobody is
    there yet."""
    task_id = await _begin(manager, 4, rollout=rollout(batches="1,rest"))
    async with manager.running() as fleet:
        run = fleet.held["h001"].pop()
        await fleet.parts.report(fleet.sessions["h001"].host_id, result(run.execution_id))
    async with manager.running(back=False) as fleet:
        assert await fleet.take() == []
        await manager.come_back(fleet, ["h002", "h003"])
        assert sorted(fleet.busy()) == ["h002", "h003"]
        await fleet.finish()
        manager.clock.turn(59)
        await fleet.take()
        assert (await fleet.states(task_id))["h004"] == "pending"
        manager.clock.turn(1)
        await fleet.take()
        assert (await fleet.states(task_id))["h004"] == UNDELIVERABLE
        assert (await fleet.task(task_id)).status is TaskStatus.FAILED


async def test_a_host_between_two_steps_gives_its_place_away(manager: Manager) -> None:
    spec = rollout(max_concurrency="1")
    await _begin(manager, 2, "one", "two", rollout=spec, offline=Offline.WAIT)
    async with manager.running() as fleet:
        fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
        await fleet.answer("h001")
    async with manager.running(back=False) as fleet:
        await manager.come_back(fleet, ["h002"])
        assert fleet.busy() == ["h002"]
        await manager.come_back(fleet, ["h001"])
        assert fleet.busy() == ["h002"]
        await fleet.answer("h002")
        await fleet.answer("h002")
        assert fleet.busy() == ["h001"]


async def test_a_plain_task_waits_for_hosts_that_were_online(manager: Manager) -> None:
    async with manager.running() as fleet:
        await fleet.connect(host_names(3))
        await fleet.disconnect(["h003"])
    async with manager.running(back=False) as fleet:
        task_id = await fleet.start("@all", "one", "two")
        states = await fleet.states(task_id)
        assert states == {"h001": "pending", "h002": "pending", "h003": UNDELIVERABLE}
        await manager.come_back(fleet, ["h001"])
        assert fleet.busy() == ["h001"]
        await fleet.finish()
        manager.clock.turn(59)
        await fleet.parts.silence.run_once()
        assert (await fleet.states(task_id))["h002"] == "pending"
        manager.clock.turn(1)
        await fleet.parts.silence.run_once()
        assert (await fleet.states(task_id))["h002"] == UNDELIVERABLE
        assert (await fleet.states(task_id, 1))["h002"] == "skipped earlier_failed"
    async with manager.running(back=False) as fleet:  # h002 is not expected any more
        task_id = await fleet.start("h002")
        assert await fleet.states(task_id) == {"h002": UNDELIVERABLE}


async def test_a_host_that_has_come_back_is_not_expected_any_more(manager: Manager) -> None:
    async with manager.running() as fleet:
        await fleet.connect(host_names(2))
    async with manager.running() as fleet:
        await fleet.disconnect(["h001"])
        task_id = await fleet.start("h001")
        assert await fleet.states(task_id) == {"h001": UNDELIVERABLE}
    async with manager.running(back=False) as fleet:  # it was offline when the manager stopped
        task_id = await fleet.start("@all")
        assert await fleet.states(task_id) == {"h001": UNDELIVERABLE, "h002": "pending"}


async def test_a_host_that_is_declared_lost_is_not_expected(tmp_path: Path) -> None:
    """What is resumed then would wait for ever."""
    manager = Manager(tmp_path, limits={"lost_after": timedelta(seconds=30)})
    async with manager.running() as fleet:
        await fleet.connect(["h001"])
        fleet.parts.dispatcher.rooms[fleet.sessions["h001"].host_id] = 0
        task_id = await fleet.start("h001")
        await fleet.parts.tasks.pause_task(task_id)
    async with manager.running(back=False) as fleet:
        manager.clock.turn(30)
        await fleet.parts.silence.run_once()
        await fleet.parts.tasks.resume_task(task_id)
        assert await fleet.states(task_id) == {"h001": UNDELIVERABLE}


@pytest.mark.parametrize("strict", [False, True])
async def test_sixty_hosts_with_a_kill_in_each_batch(manager: Manager, strict: bool) -> None:
    """A fifth of the hosts fails, every fifth in the order of the names; 5 of them may. The manager
    is killed in the middle of each batch."""
    fails = set(host_names(60)[4::5])
    spec = rollout(batches="10%", max_concurrency="3", max_failures="5", strict=strict)
    task_id = await _begin(manager, 60, rollout=spec)
    began: set[str] = set()
    running = True
    while running:
        async with manager.running() as fleet:
            running = await _run_for_a_batch(fleet, fails, began)
    async with manager.running() as fleet:
        counts, task = await fleet.counts(task_id), await fleet.task(task_id)
        assert task.rollout
        assert (counts[FAILED], task.rollout.hosts_failed) == (6, 6)
        assert counts[COMPLETED] + counts[FAILED] == len(began)
        assert counts[SPENT] == 60 - len(began)
        if strict:  # the sixth failure is that of h030, and nobody had begun after it
            assert began == set(host_names(30))
        assert 30 <= len(began) < 33


async def _run_for_a_batch(fleet: Fleet, fails: set[str], began: set[str]) -> bool:
    """As many hosts answer as are in a batch, in the order of their names, the first time half as
    many; False: the task has ended."""
    for _ in range(6 if len(began) > 3 else 3):
        busy = sorted(fleet.busy())
        began.update(busy)
        assert len(busy) <= 3
        if not busy:
            return False
        await fleet.answer(busy[0], int(busy[0] in fails))
    return True


@pytest.mark.parametrize("limit", ["", "2"], ids=["plain", "rollout"])
async def test_a_host_whose_session_is_being_opened_is_waited_for(
    manager: Manager, limit: str
) -> None:
    """Its turn comes while the database stores its session; and again when it cannot."""
    async with manager.running() as fleet:
        await fleet.connect(host_names(2))
    async with manager.running(back=False) as fleet:
        parts, task_ids = fleet.parts, []
        write = parts.database.write

        async def start_first(work: Any, *, early: bool = False) -> Any:
            parts.database.write = write  # type: ignore[method-assign]
            given = spec("@all", rollout=rollout(max_concurrency=limit))
            task_ids.append(await parts.tasks.create_task(given))
            await parts.tasks.start_task(task_ids[-1])
            await parts.rollout_loop.run_once()
            await parts.silence.run_once()
            if len(task_ids) == 1:
                raise StorageError("The disk is full.")
            return await write(work, early=early)

        for _ in range(2):
            parts.database.write = start_first  # type: ignore[method-assign]
            with contextlib.suppress(StorageError):
                await manager.come_back(fleet, ["h002"])
        assert len(fleet.held["h002"]) == 2
        for task_id in task_ids:
            assert await fleet.states(task_id) == {"h001": "pending", "h002": "pending"}
        manager.clock.turn(60)
        await parts.silence.run_once()
        await fleet.take()
        for task_id in task_ids:
            assert await fleet.states(task_id) == {"h001": UNDELIVERABLE, "h002": "pending"}
