"""What happens to rejected and revoked hosts, and to their commands."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from tests.support.managers.manager_parts import Parts, result
from tui_manager.domain.errors import (
    InvalidInputError,
    Refusal,
    RefusedError,
)
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.maintenance.check import contradictions

ANA = "ana@pts/3"


def _host(parts: Parts, host_id: str) -> Host:
    entry = parts.directory.get(host_id)
    assert entry is not None
    return entry.to_host(parts.clock.instant)


async def test_a_revoked_host_is_disconnected_and_refused(parts: Parts) -> None:
    host = await parts.member("web01")
    assert await parts.admission.revoke(["web01"], ANA) == ("web01",)
    ((host_id, refusal, why),) = parts.sessions.turned_away
    assert (host_id, refusal) == (host.host_id, Refusal.REVOKED)
    assert "revoked" in why
    assert fleet_counts.counts(parts.directory) == (0, 0, 0)
    for _ in range(2):
        with pytest.raises(RefusedError) as caught:
            await parts.dial(host.host_id, "web01")
        assert caught.value.refusal is Refusal.REVOKED
    with pytest.raises(InvalidInputError, match="web01"):
        await parts.started("web01")
    (entry,) = await parts.audited("revoke_host")
    assert (entry.actor, entry.host_id) == (ANA, host.host_id)


async def _four_kinds_of_work(parts: Parts, host: OpenedSession) -> tuple[int, int, int]:
    """Tasks of a host: one that runs with a step behind it, one that was sent and cancelled, one
    that waits to be sent with a delivery timeout."""
    running = await parts.started("@all", "first", "second")
    canceled = await parts.started("@all")
    await parts.tasks.cancel_task(canceled)
    ours = [run for to, run in parts.dispatcher.sent if to == host.host_id]
    await parts.report(host.host_id, Started(ours[0].execution_id, timedelta(0)))
    parts.dispatcher.rooms[host.host_id] = 0
    waiting = await parts.started("@all", offline=Offline.WAIT)
    return running, canceled, waiting


@pytest.mark.parametrize("put_back", [False, True])
async def test_commands_of_a_turned_away_host_fail_in_the_same_transaction(
    parts: Parts, put_back: bool
) -> None:
    host, other = await parts.member("web01"), await parts.member("web02")
    running, canceled, waiting = await _four_kinds_of_work(parts, host)
    others = [await parts.rows(task_id) for task_id in (running, canceled, waiting)]
    if put_back:
        parts.fall_silent()
        await parts.enroll("renamed", key="web01")
        await parts.admission.reject(["renamed"], False, ANA)
    else:
        await parts.admission.revoke(["web01"], ANA)
    first, second = [row for row in await parts.rows(running) if row.host_id == host.host_id]
    assert (first.status, first.reason) == (CommandHostStatus.FAILED, Reason.AGENT_LOST)
    assert (second.status, second.reason) == (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
    (row,) = [row for row in await parts.rows(canceled) if row.host_id == host.host_id]
    assert (row.status, row.reason) == (CommandHostStatus.CANCELED, Reason.CANCEL_UNCONFIRMED)
    (row,) = [row for row in await parts.rows(waiting) if row.host_id == host.host_id]
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)
    assert row.detail == f"The host was {'rejected' if put_back else 'revoked'} before it was sent."
    for before, task_id in zip(others, (running, canceled, waiting), strict=True):
        assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING
        rows = await parts.rows(task_id)
        assert [row for row in rows if row.host_id == other.host_id] == [
            row for row in before if row.host_id == other.host_id
        ]
    assert await parts.database.read(contradictions) == []


async def test_the_task_of_a_host_that_is_turned_away_ends_when_all_have(parts: Parts) -> None:
    await parts.member("web01")
    task_id = await parts.started("web01")
    await parts.admission.revoke(["web01"], ANA)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED


async def test_reports_of_a_revoked_host_are_refused(parts: Parts) -> None:
    host = await parts.member("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.admission.revoke(["web01"], ANA)
    (before,) = await parts.rows(task_id)
    with pytest.raises(RefusedError) as caught:
        await parts.report(host.host_id, result(run.execution_id))
    assert caught.value.refusal is Refusal.REVOKED
    assert await parts.rows(task_id) == [before]


@pytest.mark.each_engine
@pytest.mark.parametrize("first", ["dial", "revoke"])
async def test_a_host_that_dials_while_it_is_revoked_is_disconnected_or_refused(
    parts: Parts, first: str
) -> None:
    enrolled = await parts.enroll("web01", auto_approve=True)
    order: list[str] = []

    async def dial() -> None:
        with contextlib.suppress(RefusedError):
            await parts.dial(enrolled.host_id, "web01")
            order.append("in")  # the session takes its place in this same step

    async def revoke() -> None:
        await parts.admission.revoke(["web01"], ANA)
        order.append("out")

    if first == "dial":
        await asyncio.gather(dial(), revoke())
    else:
        revoking = asyncio.create_task(revoke())
        await asyncio.sleep(0)  # its own task has begun
        await asyncio.sleep(0)  # it waits for the database
        await asyncio.gather(revoking, dial())
    assert order == (["in", "out"] if first == "dial" else ["out"])
    assert _host(parts, enrolled.host_id).admission is Admission.REVOKED
