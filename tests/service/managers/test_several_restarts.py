"""A manager is killed and is back before the others have noticed: its hosts are waited for as if it
was alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts
from tests.support.managers.several_managers import Managers, several_managers
from tui_manager.domain.errors import RefusedError
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.manager.gateway import ManagerGroup
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.service.limits import RETURN_TIMEOUT
from tui_manager.service.managers.hosts_elsewhere import HostsElsewhere

pytestmark = pytest.mark.postgresql
LOST_AFTER = timedelta(minutes=5)


@dataclass
class Fleet:
    """Two managers, of which `a` leads, with one host that is connected to `b`."""

    managers: Managers
    a: Parts
    b: Parts
    follower: HostsElsewhere
    host_id: str

    async def restart_b(self) -> None:
        """`b` is killed, and starts again at once."""
        await self.managers.kill("b")
        self.b = await self.managers.start("b")

    async def notice(self) -> None:
        """`a` hears that."""
        await self.managers.beat()
        await self.follower.run_once()

    async def wait(self, seconds: float) -> None:
        """Time goes by in which nobody comes."""
        self.managers.clock.turn(seconds)
        await self.a.silence.run_once()

    @property
    def is_online(self) -> bool:
        """For `a`."""
        return self.a.directory.is_online(self.host_id)

    async def row(self, task_id: int) -> CommandHost:
        (row,) = await self.a.rows(task_id)
        return row


def _follow(parts: Parts) -> None:
    """As `manager_parts.py` connects them."""

    def follow(managers: ManagerGroup) -> None:
        heard_at, clock = parts.leadership.heard_at(), parts.core.clock
        parts.directory.follow_gateways(managers.others, heard_at, clock.now(), clock.monotonic())

    parts.leadership.on_change.append(follow)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with several_managers(tmp_path, lost_after=LOST_AFTER) as managers:
        a, b = await managers.start("a"), await managers.start("b")
        _follow(a)
        follower = HostsElsewhere(a.core, a.dispatch, a.sessions)
        host_id = (await b.connect("web01")).host_id
        made = Fleet(managers, a, b, follower, host_id)
        await made.notice()
        assert made.is_online
        yield made


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_what_is_started_then_waits_as_after_a_restart(
    fleet: Fleet, is_noticed: bool
) -> None:
    await fleet.restart_b()
    if is_noticed:
        await fleet.notice()
        assert not fleet.is_online
    task_id = await fleet.a.started("web01")
    await fleet.notice()
    assert (await fleet.row(task_id)).status is CommandHostStatus.PENDING
    await fleet.wait(RETURN_TIMEOUT - 10)
    assert (await fleet.row(task_id)).status is CommandHostStatus.PENDING
    await fleet.wait(11)
    assert (await fleet.row(task_id)).reason is Reason.UNDELIVERABLE


async def test_what_runs_there_is_lost_as_after_a_restart(fleet: Fleet) -> None:
    fleet.b.hosts.session_ready(fleet.host_id)
    task_id = await fleet.a.started("web01")
    ((_, run),) = await fleet.b.send()
    await fleet.b.report(fleet.host_id, Started(run.execution_id, timedelta()))
    await fleet.restart_b()
    await fleet.notice()
    await fleet.wait(LOST_AFTER.total_seconds() - 10)
    assert (await fleet.row(task_id)).status is CommandHostStatus.RUNNING
    await fleet.wait(10)
    assert (await fleet.row(task_id)).reason is Reason.AGENT_LOST


async def test_a_host_that_is_back_before_the_others_notice_stays_online(fleet: Fleet) -> None:
    await fleet.restart_b()
    await fleet.b.connect("web01", host_id=fleet.host_id)
    await fleet.follower.run_once()
    assert fleet.is_online
    await fleet.notice()
    assert fleet.is_online
    task_id = await fleet.a.started("web01")
    await fleet.wait(RETURN_TIMEOUT + 1)
    assert (await fleet.row(task_id)).status is CommandHostStatus.PENDING


async def test_a_host_that_restarts_with_its_manager_may_connect_elsewhere(fleet: Fleet) -> None:
    again: dict[str, Any] = {"host_id": fleet.host_id, "instance_id": "after the restart"}
    with pytest.raises(RefusedError):
        await fleet.a.connect("web01", **again)
    await fleet.restart_b()
    await fleet.notice()
    assert (await fleet.a.connect("web01", **again)).generation == 2
