"""Pause and resume: nothing more is sent, and what waits for a time waits as long as before."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, failed, manager_parts, result
from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.maintenance.check import contradictions

PENDING = (CommandHostStatus.PENDING, Reason.NONE)
UNDELIVERABLE = (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)
SKIPPED = (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
COMPLETED = (CommandHostStatus.COMPLETED, Reason.NONE)


async def _close(parts: Parts, host: OpenedSession) -> None:
    await parts.hosts.close_session(host.host_id, host.generation, "test")


async def _back(parts: Parts, host: OpenedSession) -> None:
    await parts.connect(host.name, host_id=host.host_id)
    parts.hosts.session_ready(host.host_id)


async def _states(parts: Parts, task_id: int) -> list[tuple[CommandHostStatus, Reason]]:
    assert await parts.database.read(contradictions) == []
    return [(row.status, row.reason) for row in await parts.rows(task_id)]


async def _paused(parts: Parts, task_id: int) -> bool:
    return (await parts.tasks.get_task(task_id)).task.paused


async def test_the_next_command_is_sent_after_the_pause(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01", "one", "two")
    ((_, first),) = parts.dispatcher.sent
    await parts.tasks.pause_task(task_id, "ana@pts/3")
    assert await _paused(parts, task_id)
    await parts.report(host.host_id, result(first.execution_id))
    assert await parts.send() == []
    await parts.tasks.resume_task(task_id, "ben@pts/4")
    assert not await _paused(parts, task_id)
    ((_, second),) = await parts.send()
    await parts.report(host.host_id, result(second.execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED
    acts = await parts.audited("pause_task", "resume_task")
    assert [(act.actor, act.action, act.task_id) for act in acts] == [
        ("ana@pts/3", "pause_task", task_id),
        ("ben@pts/4", "resume_task", task_id),
    ]


async def test_what_hosts_have_goes_on_and_may_end_the_task(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.tasks.pause_task(task_id)
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await parts.report(host.host_id, failed(run.execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED
    assert not await _paused(parts, task_id)
    assert await parts.database.read(contradictions) == []


async def test_a_delivery_timeout_stands_still_in_the_pause(parts: Parts) -> None:
    host = await parts.connect("web01")
    await _close(parts, host)
    task_id = await parts.started(
        "web01", offline=Offline.WAIT, delivery_timeout=timedelta(seconds=100)
    )
    parts.clock.turn(60)
    await parts.tasks.pause_task(task_id)
    parts.clock.turn(5000)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [PENDING]
    await parts.tasks.resume_task(task_id)
    parts.clock.turn(39)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [PENDING]
    parts.clock.turn(1)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [UNDELIVERABLE]


async def test_a_turn_that_comes_in_the_pause_gets_its_whole_timeout(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started(
        "web01", "one", "two", offline=Offline.WAIT, delivery_timeout=timedelta(seconds=100)
    )
    ((_, first),) = parts.dispatcher.sent
    await parts.tasks.pause_task(task_id)
    parts.clock.turn(50)
    await parts.report(host.host_id, result(first.execution_id))
    await _close(parts, host)
    parts.clock.turn(500)
    await parts.tasks.resume_task(task_id)
    parts.clock.turn(99)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [COMPLETED, PENDING]
    parts.clock.turn(1)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [COMPLETED, UNDELIVERABLE]


async def test_a_clock_that_jumps_in_the_pause_changes_no_timeout(parts: Parts) -> None:
    host = await parts.connect("web01")
    await _close(parts, host)
    task_id = await parts.started(
        "web01", offline=Offline.WAIT, delivery_timeout=timedelta(seconds=100)
    )
    await parts.tasks.pause_task(task_id)
    parts.clock.instant += timedelta(days=2)
    await parts.watch.run_once()
    await parts.tasks.resume_task(task_id)
    parts.clock.turn(99)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [PENDING]
    parts.clock.turn(1)
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [UNDELIVERABLE]


async def test_a_host_that_is_offline_is_judged_at_the_resume(parts: Parts) -> None:
    web, db = await parts.connect("web01"), await parts.connect("db01")
    parts.dispatcher.rooms = {web.host_id: 0, db.host_id: 0}
    task_id = await parts.started("@all", "one", "two")
    await parts.tasks.pause_task(task_id)
    await _close(parts, web)
    parts.clock.turn(2 * parts.limits.lost_after.total_seconds())
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [PENDING] * 4
    parts.dispatcher.rooms.clear()
    await parts.tasks.resume_task(task_id)
    ((sent_to, _),) = await parts.send()
    assert sent_to == db.host_id
    assert await _states(parts, task_id) == [PENDING, UNDELIVERABLE, PENDING, SKIPPED]


async def test_a_host_that_comes_in_the_pause_is_sent_nothing(parts: Parts) -> None:
    host = await parts.connect("web01")
    await _close(parts, host)
    task_id = await parts.started("web01", offline=Offline.WAIT)
    await parts.tasks.pause_task(task_id)
    await _back(parts, host)
    assert await parts.send() == []
    await parts.tasks.resume_task(task_id)
    assert len(await parts.send()) == 1


async def test_another_task_is_sent_meanwhile(parts: Parts) -> None:
    host = await parts.connect("web01")
    parts.dispatcher.rooms[host.host_id] = 0
    paused = await parts.started("web01", "one")
    await parts.tasks.pause_task(paused)
    parts.dispatcher.rooms[host.host_id] = 1
    await parts.started("web01", "other")
    assert [run.command.text for _, run in parts.dispatcher.sent] == ["other"]


async def test_cancel_ends_the_pause(parts: Parts) -> None:
    host = await parts.connect("web01")
    await _close(parts, host)
    task_id = await parts.started("web01", offline=Offline.WAIT)
    await parts.tasks.pause_task(task_id)
    await parts.tasks.cancel_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED
    assert not await _paused(parts, task_id)
    assert await parts.database.read(contradictions) == []


async def test_it_outlives_the_manager(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        host = await parts.connect("web01")
        await _close(parts, host)
        task_id = await parts.started("web01", offline=Offline.WAIT)
        await parts.tasks.pause_task(task_id)
    async with manager_parts(tmp_path) as parts:
        assert await _paused(parts, task_id)
        await _back(parts, host)
        assert await parts.send() == []
        await parts.tasks.resume_task(task_id)
        assert len(await parts.send()) == 1


async def test_only_a_task_that_runs_is_paused_and_only_a_paused_one_resumed(parts: Parts) -> None:
    await parts.connect("web01")
    tasks, task_id = parts.tasks, await parts.started("web01")
    with pytest.raises(IllegalMoveError, match="cannot be resumed: it is neither paused nor held"):
        await tasks.resume_task(task_id)
    await tasks.pause_task(task_id)
    with pytest.raises(IllegalMoveError, match="cannot be paused: it is paused already"):
        await tasks.pause_task(task_id)
    await tasks.cancel_task(task_id)
    for act in (tasks.pause_task, tasks.resume_task):
        with pytest.raises(IllegalMoveError, match="it is being canceled"):
            await act(task_id)
        with pytest.raises(NotFoundError):
            await act(999)


async def test_of_a_resume_and_a_cancel_at_once_both_are_answered(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.started("web01")
    await parts.tasks.pause_task(task_id)
    canceled, resumed = await asyncio.gather(
        parts.tasks.cancel_task(task_id),
        parts.tasks.resume_task(task_id),
        return_exceptions=True,
    )
    assert canceled is None
    assert isinstance(resumed, IllegalMoveError)
