"""Tasks that wait for offline hosts, until these come back or the delivery timeout passes."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, failed, manager_parts, result, spec
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.maintenance.check import contradictions

HALF_AN_HOUR = timedelta(minutes=30)
PENDING = (CommandHostStatus.PENDING, Reason.NONE)
UNDELIVERABLE = (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)
SKIPPED = (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
LOST = (CommandHostStatus.FAILED, Reason.AGENT_LOST)


async def _gone(parts: Parts, name: str = "web01") -> OpenedSession:
    """A host that was there once."""
    host = await parts.connect(name)
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    return host


async def _back(parts: Parts, host: OpenedSession) -> OpenedSession:
    back = await parts.connect(host.name, host_id=host.host_id)
    parts.hosts.session_ready(host.host_id)
    return back


async def _waiting(parts: Parts, target: str = "web01", *texts: str) -> int:
    return await parts.started(target, *texts, offline=Offline.WAIT, delivery_timeout=HALF_AN_HOUR)


async def _states(parts: Parts, task_id: int) -> list[tuple[CommandHostStatus, Reason]]:
    assert await parts.database.read(contradictions) == []
    return [(row.status, row.reason) for row in await parts.rows(task_id)]


async def _later(parts: Parts, seconds: float) -> None:
    parts.clock.turn(seconds)
    await parts.silence.run_once()


async def test_a_host_that_comes_back_in_time_gets_its_command(parts: Parts) -> None:
    host = await _gone(parts)
    task_id = await _waiting(parts)
    assert parts.dispatcher.sent == []
    await _later(parts, 1790)  # far beyond lost_after
    assert await _states(parts, task_id) == [PENDING]
    await _back(parts, host)
    ((sent_to, run),) = await parts.send()
    assert (sent_to, run.start_before) == (host.host_id, timedelta(seconds=10))
    await parts.report(host.host_id, result(run.execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED


async def test_a_command_says_until_when_it_waits_for_its_offline_host(parts: Parts) -> None:
    host = await _gone(parts)
    await parts.connect("web02")
    task_id = await _waiting(parts, "web01,web02", "true", "date")
    until = parts.core.clock.now() + HALF_AN_HOUR
    away = [row.waits_until for row in await parts.rows(task_id) if row.host == "web01"]
    assert away == [until, None]  # the turn of the second command has not come
    others = [row.waits_until for row in await parts.rows(task_id) if row.host == "web02"]
    assert others == [None, None]
    found = await parts.tasks.overview.task_map(task_id)
    assert (found.hosts_away, found.away_until) == (1, until)
    await _back(parts, host)
    assert not any(row.waits_until for row in await parts.rows(task_id))
    assert (await parts.tasks.overview.task_map(task_id)).hosts_away == 0


async def test_after_the_delivery_timeout_a_command_fails_and_the_rest_is_skipped(
    parts: Parts,
) -> None:
    host = await _gone(parts)
    task_id = await _waiting(parts, "web01", "first", "second")
    await _later(parts, 1800)
    assert await _states(parts, task_id) == [UNDELIVERABLE, SKIPPED]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED
    ended = [row.finished_at for row in await parts.rows(task_id)]
    await _later(parts, 1800)
    await _back(parts, host)
    assert await parts.send() == []
    assert [row.finished_at for row in await parts.rows(task_id)] == ended


async def test_a_host_that_is_back_too_late_is_sent_nothing(parts: Parts) -> None:
    host = await _gone(parts)
    task_id = await _waiting(parts)
    parts.clock.turn(1800)
    await _back(parts, host)
    assert await parts.send() == []
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [UNDELIVERABLE]


async def test_a_connected_host_is_sent_the_delivery_timeout(parts: Parts) -> None:
    await parts.connect("web01")
    await _waiting(parts)
    ((_, run),) = parts.dispatcher.sent
    assert run.start_before == HALF_AN_HOUR


async def test_a_task_that_does_not_wait_sends_no_limit(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    assert run.start_before is None


async def test_each_command_has_its_own_delivery_timeout(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await _waiting(parts, "web01", "first", "second")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await _later(parts, 7200)
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    await parts.report(host.host_id, result(run.execution_id))
    assert await parts.send() == []
    await _later(parts, 1799)
    assert (await _states(parts, task_id))[1] == PENDING
    await _later(parts, 1)
    assert (await _states(parts, task_id))[1] == UNDELIVERABLE


async def test_a_command_that_no_session_takes_waits_for_the_next_one(parts: Parts) -> None:
    host = await parts.connect("web01")
    parts.dispatcher.broken.add(host.host_id)
    task_id = await _waiting(parts)
    (row,) = await parts.rows(task_id)
    assert (row.status, row.sent_at) == (CommandHostStatus.PENDING, None)
    parts.dispatcher.broken.clear()
    await _back(parts, host)
    assert [run.execution_id for _, run in await parts.send()] == [row.execution_id]


async def test_a_cancel_while_it_is_handed_over_ends_it(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01", offline=Offline.WAIT))
    await parts.tasks.start_task(task_id)
    dispatcher = parts.dispatcher

    async def broken(host_id: str, run: object) -> None:
        await parts.tasks.cancel_task(task_id)
        dispatcher.broken.add(host.host_id)
        await type(dispatcher).send_command_to_agent(dispatcher, host_id, run)  # type: ignore[arg-type]

    dispatcher.send_command_to_agent = broken  # type: ignore[method-assign]
    await parts.send()
    assert await _states(parts, task_id) == [(CommandHostStatus.CANCELED, Reason.CANCELED)]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_a_command_for_a_full_session_is_undeliverable_after_its_timeout(
    parts: Parts,
) -> None:
    host = await parts.connect("web01")
    parts.dispatcher.rooms[host.host_id] = 0
    task_id = await _waiting(parts)
    await _later(parts, 1800)
    assert await _states(parts, task_id) == [UNDELIVERABLE]


async def test_running_commands_fail_after_lost_after(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await _waiting(parts)
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    await _later(parts, 301)
    assert await _states(parts, task_id) == [LOST]


async def test_waiting_commands_are_cancelled_at_once(parts: Parts) -> None:
    await _gone(parts)
    task_id = await _waiting(parts)
    await parts.tasks.cancel_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_a_task_waits_only_for_the_host_that_is_away(parts: Parts) -> None:
    await _gone(parts, "web01")
    there = await parts.connect("web02")
    task_id = await _waiting(parts, "web[01-02]")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(there.host_id, failed(run.execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING


@pytest.mark.parametrize("back", [True, False])
async def test_the_wait_continues_after_a_restart_of_the_manager(
    tmp_path: Path, back: bool
) -> None:
    async with manager_parts(tmp_path) as parts:
        host = await _gone(parts)
        task_id = await _waiting(parts, "web01", "first", "second")
        instant = parts.clock.instant
    async with manager_parts(tmp_path) as parts:
        parts.clock.instant = instant
        await _later(parts, 1700)
        assert await _states(parts, task_id) == [PENDING, PENDING]
        if back:
            await _back(parts, host)
            ((_, run),) = await parts.send()
            assert run.start_before == timedelta(seconds=100)
        else:  # never seen again
            await _later(parts, 100)
            assert await _states(parts, task_id) == [UNDELIVERABLE, SKIPPED]


@pytest.mark.parametrize("seconds", [0, -1, 30 * 86400 + 1])
async def test_a_timeout_out_of_bounds_is_refused(parts: Parts, seconds: int) -> None:
    with pytest.raises(InvalidInputError, match="from 1 s to 30 d"):
        await parts.tasks.create_task(spec("web01", delivery_timeout=timedelta(seconds=seconds)))
