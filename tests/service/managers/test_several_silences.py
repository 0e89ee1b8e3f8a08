"""The leader judges the silence of all hosts. One whose manager has died is expected for a while,
and is silent since the last beat of that manager."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.managers.manager_parts import greeting, result
from tui_manager.domain.hosts.agent_messages import Held, HeldState, ResumeAction, Run, Started
from tui_manager.domain.manager.gateway import ManagerGroup
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.service.limits import RETURN_TIMEOUT
from tui_manager.service.managers.lease_rules import ALIVE_FOR, BEAT_EVERY

pytestmark = pytest.mark.postgresql
LOST_AFTER = timedelta(minutes=5)


@dataclass
class Fleet:
    """Three managers, of which `a` leads, with one host that is connected to `b`."""

    managers: Managers
    a: Manager
    b: Manager
    c: Manager
    host_id: str = ""

    async def beat(self, *managers: Manager) -> None:
        """Time goes by, and these beat."""
        self.managers.clock.turn(BEAT_EVERY)
        for manager in managers:
            await manager.leadership.beat()
        await self.managers.settle()

    async def lose_b(self) -> float:
        """`b` dies, and the others notice; returns when it was heard last."""
        heard = self.managers.clock.seconds
        self.b.alive = False
        while self.entry.online:
            await self.beat(self.a, self.c)
        assert self.managers.clock.seconds - heard <= ALIVE_FOR + BEAT_EVERY
        return heard

    @property
    def entry(self) -> HostEntry:
        entry: HostEntry | None = self.a.directory.get(self.host_id)
        assert entry
        return entry

    async def send(self, manager: Manager) -> Run:
        """What this manager sends after all have followed each other."""
        await self.managers.settle()
        ((host_id, run),) = await manager.send()
        assert host_id == self.host_id
        return run

    async def row(self, task_id: int) -> CommandHost:
        (row,) = await self.a.rows(task_id)
        return row  # type: ignore[no-any-return]

    async def status(self, task_id: int) -> TaskStatus:
        status: TaskStatus = (await self.a.tasks.get_task(task_id)).task.status
        return status


def _follow(manager: Manager) -> None:
    """As `manager_parts.py` connects them."""

    def follow(managers: ManagerGroup) -> None:
        manager.bridge.follow_managers(managers, manager.leadership.heard_at())

    manager.leadership.on_change.append(follow)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with following_managers(tmp_path, lost_after=LOST_AFTER) as managers:
        made = Fleet(managers, *managers)
        for manager in managers:
            _follow(manager)
        made.host_id = (await made.b.connect("web01")).host_id
        await made.beat(*managers)
        assert made.a.leadership.leads
        assert made.entry.online
        yield made


async def test_hosts_of_a_dead_manager_are_silent_since_its_last_beat(fleet: Fleet) -> None:
    running = await fleet.a.started("web01")
    run = await fleet.send(fleet.b)
    await fleet.b.report(fleet.host_id, Started(run.execution_id, timedelta()))
    heard = await fleet.lose_b()
    assert 0 <= fleet.entry.silent_since - heard <= BEAT_EVERY
    assert fleet.entry.expected_until > fleet.managers.clock.seconds

    started = await fleet.a.started("web01")  # it is expected
    assert (await fleet.row(started)).status is CommandHostStatus.PENDING
    fleet.managers.clock.turn(RETURN_TIMEOUT + 1)
    await fleet.a.silence.run_once()
    assert (await fleet.row(started)).reason is Reason.UNDELIVERABLE
    assert await fleet.status(started) is TaskStatus.FAILED
    assert await fleet.status(running) is TaskStatus.RUNNING

    fleet.managers.clock.turn(LOST_AFTER.total_seconds() - RETURN_TIMEOUT - ALIVE_FOR)
    await fleet.a.silence.run_once()
    assert (await fleet.row(running)).reason is Reason.AGENT_LOST
    assert await fleet.status(running) is TaskStatus.FAILED


async def test_what_waited_for_the_death_of_a_manager_waits_longer(fleet: Fleet) -> None:
    """It was started before, and was not sent: only what is started while the host is expected
    fails with the end of that."""
    fleet.b.dispatcher.rooms[fleet.host_id] = 0
    waiting = await fleet.a.started("web01")
    await fleet.lose_b()
    fleet.managers.clock.turn(RETURN_TIMEOUT + 1)
    await fleet.a.silence.run_once()
    assert (await fleet.row(waiting)).status is CommandHostStatus.PENDING
    fleet.managers.clock.turn(LOST_AFTER.total_seconds())
    await fleet.a.silence.run_once()
    assert (await fleet.row(waiting)).reason is Reason.UNDELIVERABLE


async def test_a_host_that_comes_back_to_another_manager_is_sent_what_waits(fleet: Fleet) -> None:
    await fleet.lose_b()
    task_id = await fleet.a.started("web01")
    await fleet.c.hosts.open_session(greeting("web01", host_id=fleet.host_id), None)
    fleet.c.hosts.session_ready(fleet.host_id)
    run = await fleet.send(fleet.c)
    fleet.managers.clock.turn(RETURN_TIMEOUT + 1)
    await fleet.a.silence.run_once()
    assert await fleet.status(task_id) is TaskStatus.RUNNING
    await fleet.c.report(fleet.host_id, result(run.execution_id))
    await fleet.a.task_status_loop.run_once([task_id])
    assert await fleet.status(task_id) is TaskStatus.COMPLETED


async def test_a_new_leader_goes_on_with_the_silences_that_it_knows(fleet: Fleet) -> None:
    """The leader dies too: the next one has heard the host's manager as well."""
    running = await fleet.a.started("web01")
    run = await fleet.send(fleet.b)
    await fleet.b.report(fleet.host_id, Started(run.execution_id, timedelta()))
    heard = await fleet.lose_b()
    fleet.a.alive = False
    while not fleet.c.leadership.leads:
        await fleet.beat(fleet.c)
    fleet.managers.clock.turn(heard + LOST_AFTER.total_seconds() - fleet.managers.clock.seconds)
    fleet.managers.clock.turn(2 * BEAT_EVERY)
    await fleet.c.silence.run_once()
    assert (await fleet.row(running)).reason is Reason.AGENT_LOST


async def test_what_waits_for_a_host_that_has_just_come_to_another_manager_goes_on_waiting(
    fleet: Fleet,
) -> None:
    """The leader has not heard of it yet, but the database knows it."""
    await fleet.lose_b()
    task_id = await fleet.a.started("web01")
    await fleet.managers.settle()
    fleet.managers.clock.turn(RETURN_TIMEOUT + 1)
    await fleet.c.hosts.open_session(greeting("web01", host_id=fleet.host_id), None)
    await fleet.a.silence.run_once()
    assert (await fleet.row(task_id)).status is CommandHostStatus.PENDING
    fleet.c.hosts.session_ready(fleet.host_id)
    await fleet.send(fleet.c)


async def test_a_run_of_a_host_that_has_just_come_to_another_manager_goes_on(fleet: Fleet) -> None:
    task_id = await fleet.a.started("web01", "sleep 1", "echo two")
    run = await fleet.send(fleet.b)
    await fleet.b.report(fleet.host_id, Started(run.execution_id, timedelta()))
    await fleet.lose_b()
    fleet.managers.clock.turn(LOST_AFTER.total_seconds() + 1)
    held = (Held(run.execution_id, HeldState.RUNNING),)
    greets = greeting("web01", host_id=fleet.host_id, held=held)
    opened = await fleet.c.hosts.open_session(greets, None)
    assert [resume.action for resume in opened.resumes] == [ResumeAction.GO_ON]
    await fleet.a.silence.run_once()
    assert not fleet.entry.declared_lost
    await fleet.c.report(fleet.host_id, result(run.execution_id))
    await fleet.managers.settle()
    first, second = await fleet.a.rows(task_id)
    assert first.status is CommandHostStatus.COMPLETED
    assert second.status is CommandHostStatus.PENDING


async def test_a_session_that_the_leader_never_saw_begins_a_new_silence(fleet: Fleet) -> None:
    """It has ended before the leader looked."""
    running = await fleet.a.started("web01")
    run = await fleet.send(fleet.b)
    await fleet.b.report(fleet.host_id, Started(run.execution_id, timedelta()))
    await fleet.lose_b()
    fleet.managers.clock.turn(LOST_AFTER.total_seconds() - RETURN_TIMEOUT)
    held = (Held(run.execution_id, HeldState.RUNNING),)
    greets = greeting("web01", host_id=fleet.host_id, held=held)
    opened = await fleet.c.hosts.open_session(greets, None)
    await fleet.c.hosts.close_session(fleet.host_id, opened.generation, "test")
    await fleet.managers.settle()
    fleet.managers.clock.turn(RETURN_TIMEOUT)
    await fleet.a.silence.run_once()
    assert (await fleet.row(running)).status is CommandHostStatus.RUNNING
    fleet.managers.clock.turn(LOST_AFTER.total_seconds())
    await fleet.a.silence.run_once()
    assert (await fleet.row(running)).reason is Reason.AGENT_LOST
