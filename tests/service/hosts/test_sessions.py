"""Agents that connect, disconnect, come back, and are declared lost."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support.managers.manager_parts import (
    MANAGER_ID,
    Parts,
    counters_differ,
    result,
    stored_hosts,
)
from tests.support.waiting import wait_until
from tui_manager.domain.errors import Refusal, RefusedError, StorageError
from tui_manager.domain.hosts.agent_messages import Held, HeldState, ResumeAction, Started
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.service.hosts import host_service
from tui_manager.service.hosts.host_service import OpenedSession

LOST_AFTER = 301.0


async def _sent(parts: Parts, *texts: str) -> tuple[OpenedSession, str, int]:
    """(session, execution_id, task_id) of a command that was sent."""
    host = await parts.connect("web01")
    task_id = await parts.started("web01", *texts)
    ((_, run),) = parts.dispatcher.sent
    return host, run.execution_id, task_id


async def _sent_to(parts: Parts, name: str, target: str) -> tuple[OpenedSession, str, int]:
    """The same of one host out of a target."""
    host = await parts.connect(name)
    task_id = await parts.started(target)
    execution_id = next(run.execution_id for to, run in parts.dispatcher.sent if to == host.host_id)
    return host, execution_id, task_id


async def _away(parts: Parts, host: OpenedSession, seconds: float = LOST_AFTER) -> None:
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(seconds)
    await parts.silence.run_once()


async def _back(parts: Parts, host: OpenedSession, *held: Held, **given: Any) -> OpenedSession:
    return await parts.connect("web01", host_id=host.host_id, held=held, **given)


async def test_silence_is_failure_only_after_lost_after(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await parts.report(host.host_id, Started(execution_id, timedelta(0)))
    await _away(parts, host, 299)
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.RUNNING
    parts.clock.turn(2)
    await parts.silence.run_once()
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.AGENT_LOST)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED


async def test_a_lost_agent_that_still_runs_the_command_reopens_it_and_the_task(
    parts: Parts,
) -> None:
    host, execution_id, task_id = await _sent(parts, "first", "second")
    await _away(parts, host)
    held = Held(execution_id, HeldState.RUNNING)
    back = await _back(parts, host, held)
    assert back.resumes[0].action is ResumeAction.GO_ON
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.RUNNING
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING
    await parts.report(host.host_id, result(execution_id))
    first, second = await parts.rows(task_id)
    assert (first.status, first.late) == (CommandHostStatus.COMPLETED, False)
    assert (second.status, second.reason) == (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
    assert await parts.send() == []


async def test_a_lost_command_of_a_canceled_task_is_ended_and_reopens_nothing(
    parts: Parts,
) -> None:
    other = await parts.connect("web02")
    host, execution_id, task_id = await _sent_to(parts, "web01", "web[01-02]")
    await _away(parts, host)
    await parts.tasks.cancel_task(task_id)
    other_id = next(run.execution_id for to, run in parts.dispatcher.sent if to == other.host_id)
    canceled = result(other_id, CommandHostStatus.CANCELED, Reason.CANCELED)
    await parts.report(other.host_id, canceled)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED
    back = await _back(parts, host, Held(execution_id, HeldState.RUNNING))
    assert back.resumes[0].action is ResumeAction.CANCEL
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.AGENT_LOST)
    proof = result(execution_id, CommandHostStatus.CANCELED, Reason.CANCELED)
    await parts.report(host.host_id, proof)
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.late) == (CommandHostStatus.CANCELED, True)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_a_late_result_replaces_the_guess_and_dispatches_nothing(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await _away(parts, host)
    await _back(parts, host, Held(execution_id, HeldState.ENDED, has_result=True))
    await parts.report(host.host_id, result(execution_id))
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.reason, row.late) == (CommandHostStatus.COMPLETED, Reason.NONE, True)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED
    assert parts.statistics.counters.late_results == 1
    assert await parts.database.read(counters_differ) == []


async def test_a_cancel_without_proof_is_cancel_unconfirmed(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await parts.tasks.cancel_task(task_id)
    await _away(parts, host)
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.reason) == (CommandHostStatus.CANCELED, Reason.CANCEL_UNCONFIRMED)
    back = await _back(parts, host, Held(execution_id, HeldState.RUNNING))
    assert back.resumes[0].action is ResumeAction.CANCEL
    assert (await parts.row(execution_id, task_id)).reason is Reason.CANCEL_UNCONFIRMED
    await parts.report(host.host_id, result(execution_id))
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.late) == (CommandHostStatus.COMPLETED, True)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_a_command_that_never_arrived_is_sent_again_to_the_same_journal(parts: Parts) -> None:
    host, execution_id, _ = await _sent(parts)
    await _away(parts, host, 10)
    await _back(parts, host)
    parts.hosts.session_ready(host.host_id)
    ((_, run),) = await parts.send()
    assert run.execution_id == execution_id


async def test_a_cancelled_command_that_never_arrived_is_canceled(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    await parts.tasks.cancel_task(task_id)
    await _back(parts, host)
    assert (await parts.row(execution_id, task_id)).reason is Reason.CANCELED
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED
    parts.hosts.session_ready(host.host_id)
    assert await parts.send() == []


@pytest.mark.parametrize("started", [False, True])
async def test_another_journal_is_agent_state_lost(parts: Parts, started: bool) -> None:
    host, execution_id, task_id = await _sent(parts, "first", "second")
    if started:
        await parts.report(host.host_id, Started(execution_id, timedelta(0)))
    await _away(parts, host, 10)
    await _back(parts, host, journal_id="another")
    first, second = await parts.rows(task_id)
    assert (first.status, first.reason) == (CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST)
    assert second.reason is Reason.EARLIER_FAILED
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED
    assert await parts.send() == []


async def test_answers_for_what_an_agent_holds(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    running = Held(execution_id, HeldState.RUNNING)
    back = await _back(parts, host, running, Held("stranger", HeldState.RUNNING))
    assert [resume.action for resume in back.resumes] == [
        ResumeAction.GO_ON,
        ResumeAction.UNKNOWN,
    ]
    await parts.tasks.cancel_task(task_id)
    back = await _back(parts, host, running)
    assert back.resumes[0].action is ResumeAction.CANCEL
    await parts.report(
        host.host_id, result(execution_id, CommandHostStatus.CANCELED, Reason.CANCELED)
    )
    back = await _back(parts, host, Held(execution_id, HeldState.ENDED, has_result=True))
    assert back.resumes[0].action is ResumeAction.STORED


async def test_unsent_commands_of_a_host_that_stays_away_are_undeliverable(parts: Parts) -> None:
    host = await parts.connect("web01")
    parts.dispatcher.rooms[host.host_id] = 0
    task_id = await parts.started("web01")
    await _away(parts, host)
    (row,) = await parts.rows(task_id)
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)


async def test_the_end_of_an_old_session_never_touches_a_newer_one(parts: Parts) -> None:
    old = await parts.connect("web01")
    new = await _back(parts, old)
    assert new.generation == old.generation + 1
    await parts.hosts.close_session(old.host_id, old.generation, "test")
    (host,) = parts.list_hosts(Window()).rows
    assert host.online
    await parts.hosts.close_session(new.host_id, new.generation, "test")
    (host,) = parts.list_hosts(Window()).rows
    assert not host.online


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"manager_id": "another"}, Refusal.WRONG_MANAGER),
        ({"manager_id": MANAGER_ID, "journal_id": "another"}, Refusal.NAME_TAKEN),
        ({"instance_id": "of a copy"}, Refusal.DUPLICATE_IDENTITY),
        ({"name": "a b"}, Refusal.INVALID_HELLO),
        ({"name": "--all-pending"}, Refusal.INVALID_HELLO),
        ({"name": ".web"}, Refusal.INVALID_HELLO),
        ({"name": "x" * 65}, Refusal.INVALID_HELLO),
        ({"name": "web02", "labels": {"a b": "c"}}, Refusal.INVALID_HELLO),
        ({"name": "web02", "labels": {f"k{n}": "" for n in range(65)}}, Refusal.INVALID_HELLO),
        ({"name": "web02", "labels": {"k": "\x1b]0;title\x07"}}, Refusal.INVALID_HELLO),
    ],
)
async def test_invalid_hellos_are_refused(
    parts: Parts, given: dict[str, Any], refusal: Refusal
) -> None:
    await parts.connect("web01")
    values = {"name": "web01", **given}
    with pytest.raises(RefusedError) as caught:
        await parts.connect(values.pop("name"), **values)
    assert caught.value.refusal is refusal
    assert parts.list_hosts(Window()).total == 1
    assert parts.statistics.counters.refusals == 1


async def test_a_copied_identity_is_refused_while_the_first_agent_is_alive(parts: Parts) -> None:
    host = await parts.connect("web01")
    with pytest.raises(RefusedError) as caught:
        await _back(parts, host, instance_id="copy")
    assert caught.value.refusal is Refusal.DUPLICATE_IDENTITY
    parts.clock.turn(11)  # two heartbeats without a word
    assert (await _back(parts, host, instance_id="copy")).generation == host.generation + 1


async def test_vitals_show_while_a_host_is_online(parts: Parts) -> None:
    host = await parts.connect("web01", labels={"role": "web"})
    for percent in (10.0, 20.0):
        parts.hosts.record_vitals(
            host.host_id, host.generation, Vitals(cpu_percent=percent, queued=2)
        )
    (shown,) = parts.list_hosts(Window(text="role=web")).rows
    assert (shown.cpu_history, shown.labels) == ((10.0, 20.0), {"role": "web"})
    assert shown.vitals == Vitals(cpu_percent=20.0, queued=2)
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    (shown,) = parts.list_hosts(Window(faults_only=True)).rows
    assert (shown.vitals, shown.online) == (None, False)


async def test_an_agent_that_never_heard_its_welcome_is_the_same_host(parts: Parts) -> None:
    first = await parts.connect("web01")
    await parts.hosts.close_session(first.host_id, first.generation, "test")
    again = await parts.connect("web01", instance_id="restarted")
    assert (again.host_id, again.generation) == (first.host_id, 2)


async def test_a_host_whose_session_is_being_opened_is_not_lost(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(LOST_AFTER)
    back = asyncio.create_task(_back(parts, host, Held(execution_id, HeldState.RUNNING)))
    await asyncio.sleep(0)  # its session waits for the database
    await parts.silence.run_once()
    session = await back
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.RUNNING
    await _away(parts, session)  # and the next silence is judged as ever
    assert (await parts.row(execution_id, task_id)).reason is Reason.AGENT_LOST


async def test_a_stalled_manager_extends_the_silence_timers(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts)
    await _away(parts, host, 299)
    parts.clock.turn(100)
    parts.stalls.extend_timers(100)
    await parts.silence.run_once()
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.PENDING
    parts.clock.turn(2)
    await parts.silence.run_once()
    assert (await parts.row(execution_id, task_id)).reason is Reason.AGENT_LOST


async def test_no_agent_is_lost_while_the_database_cannot_be_written(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, execution_id, task_id = await _sent(parts)
    with monkeypatch.context() as broken:
        broken.setattr(parts.database, "write", _full)
        await parts.hosts.close_session(host.host_id, host.generation, "test")
        parts.clock.turn(LOST_AFTER)
        with pytest.raises(StorageError):
            await parts.silence.run_once()
    await parts.silence.run_once()
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.PENDING
    parts.clock.turn(LOST_AFTER)
    await parts.silence.run_once()
    assert (await parts.row(execution_id, task_id)).reason is Reason.AGENT_LOST


async def test_the_end_of_a_session_is_stored_when_the_database_is_back(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_service, "_RETRY", 0.0)
    first, second = await parts.connect("web01"), await parts.connect("web02")
    with monkeypatch.context() as broken:
        broken.setattr(parts.database, "write", _full)
        for host in (first, second):
            await parts.hosts.close_session(host.host_id, host.generation, "test")
    await parts.connect("web02", host_id=second.host_id)
    assert await _stored_online(parts) == {"web01", "web02"}
    storing = asyncio.create_task(parts.hosts.store_ends())
    await wait_until(lambda: _stored_online(parts), lambda online: online == {"web02"})
    storing.cancel()


async def _stored_online(parts: Parts) -> set[str]:
    """The hosts that are connected, as far as the database knows."""
    return {row.name for row in await parts.database.read(stored_hosts) if row.online}


async def test_a_session_is_not_silent_while_its_report_waits_for_the_database(
    parts: Parts,
) -> None:
    host = await parts.connect("web01")
    with parts.hosts.busy_with(host.host_id, host.generation):
        parts.clock.turn(1000)
        assert parts.hosts.silent_sessions() == []
    assert parts.hosts.silent_sessions() == []
    parts.clock.turn(16)
    assert parts.hosts.silent_sessions() == [(host.host_id, host.generation)]


async def _full(work: object) -> None:
    raise StorageError("The disk is full.")


async def _let_go_of_what_runs(parts: Parts) -> tuple[OpenedSession, str, int]:
    """The agent is back without what runs, and was asked for it."""
    host, execution_id, task_id = await _sent(parts, "first", "second")
    await parts.report(host.host_id, Started(execution_id, timedelta(0)))
    back = await _back(parts, host)
    assert (back.resumes, back.missing) == ((), (execution_id,))
    return back, execution_id, task_id


async def test_the_agent_is_asked_for_a_result_that_the_database_has_lost(parts: Parts) -> None:
    host, execution_id, task_id = await _let_go_of_what_runs(parts)
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.RUNNING
    await parts.report(host.host_id, result(execution_id))
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.COMPLETED


async def test_a_journal_that_does_not_know_a_running_command_has_lost_its_state(
    parts: Parts,
) -> None:
    host, execution_id, task_id = await _let_go_of_what_runs(parts)
    tombstone = result(execution_id, CommandHostStatus.CANCELED, Reason.CANCELED, duration=None)
    outcome = await parts.report(host.host_id, tombstone)
    assert outcome.acknowledged[0].result
    first, second = await parts.rows(task_id)
    assert (first.status, first.reason) == (CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST)
    assert second.status is CommandHostStatus.SKIPPED
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED


async def test_a_stalled_manager_ends_no_session(parts: Parts) -> None:
    await parts.connect("web01")
    parts.clock.turn(60)
    assert len(parts.hosts.silent_sessions()) == 1
    parts.stalls.extend_timers(60)
    assert parts.hosts.silent_sessions() == []
