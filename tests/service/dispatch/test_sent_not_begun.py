"""Commands that were sent to a host that is away and has not reported that they have begun."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts, result
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Result, Started
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.maintenance.check import contradictions

HALF_AN_HOUR = timedelta(minutes=30)
LOST_AFTER = 301.0  # seconds, just past the setting
PENDING = (CommandHostStatus.PENDING, Reason.NONE, False)
RUNNING = (CommandHostStatus.RUNNING, Reason.NONE, False)
LOST = (CommandHostStatus.FAILED, Reason.AGENT_LOST, False)
STATE_LOST = (CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST, False)
UNDELIVERABLE = (CommandHostStatus.FAILED, Reason.UNDELIVERABLE, False)
LATE_UNDELIVERABLE = (CommandHostStatus.FAILED, Reason.UNDELIVERABLE, True)
LATE_COMPLETED = (CommandHostStatus.COMPLETED, Reason.NONE, True)
CANCELED = (CommandHostStatus.CANCELED, Reason.CANCELED, False)
LATE_CANCELED = (CommandHostStatus.CANCELED, Reason.CANCELED, True)
UNCONFIRMED = (CommandHostStatus.CANCELED, Reason.CANCEL_UNCONFIRMED, False)
SKIPPED = (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED, False)

State = tuple[CommandHostStatus, Reason, bool]


async def _sent(parts: Parts, offline: Offline, *texts: str) -> tuple[OpenedSession, str, int]:
    """(session, execution_id, task_id) of a command that was handed to a session of web01, which
    has ended since without a word of it."""
    host = await parts.connect("web01")
    given = {"offline": offline, "delivery_timeout": HALF_AN_HOUR}
    task_id = await parts.started("web01", *texts, **given)
    ((_, run),) = parts.dispatcher.sent
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    return host, run.execution_id, task_id


async def _back(parts: Parts, host: OpenedSession, *held: Held, **given: str) -> OpenedSession:
    back = await parts.connect(host.name, host_id=host.host_id, held=held, **given)
    parts.hosts.session_ready(host.host_id)
    return back


async def _later(parts: Parts, seconds: float) -> None:
    parts.clock.turn(seconds)
    await parts.silence.run_once()


async def _states(parts: Parts, task_id: int) -> list[State]:
    assert await parts.database.read(contradictions) == []
    return [(row.status, row.reason, row.late) for row in await parts.rows(task_id)]


def _never(execution_id: str) -> Result:
    """A journal has never heard of it, and never runs it from now on."""
    return Result(execution_id, CommandHostStatus.CANCELED, Reason.CANCELED)


async def test_a_command_within_its_delivery_timeout_is_sent_again(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    await _later(parts, LOST_AFTER)
    await _later(parts, 1400)
    assert await _states(parts, task_id) == [PENDING]
    await _back(parts, host)
    ((_, run),) = await parts.send()
    assert (run.execution_id, run.start_before) == (execution_id, timedelta(seconds=99))
    await parts.report(host.host_id, result(execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED


async def test_a_host_that_holds_the_command_continues_it(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    await _later(parts, LOST_AFTER)
    await _back(parts, host, Held(execution_id, HeldState.RUNNING))
    assert await _states(parts, task_id) == [RUNNING]
    assert await parts.send() == []


async def test_a_command_is_never_sent_to_another_journal(parts: Parts) -> None:
    host, _, task_id = await _sent(parts, Offline.WAIT)
    await _later(parts, LOST_AFTER)
    await _back(parts, host, journal_id="another")
    assert await parts.send() == []
    assert await _states(parts, task_id) == [STATE_LOST]


async def test_another_journal_proves_nothing_about_lost_commands(parts: Parts) -> None:
    host, _, task_id = await _sent(parts, Offline.FAIL)
    await _later(parts, LOST_AFTER)
    assert (await _back(parts, host, journal_id="another")).missing == ()
    assert await _states(parts, task_id) == [LOST]


async def test_a_command_may_have_run_when_its_delivery_timeout_passes(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT, "first", "second")
    await _later(parts, LOST_AFTER)
    await _later(parts, 1498)
    assert await _states(parts, task_id) == [PENDING, PENDING]
    await _later(parts, 1)
    assert await _states(parts, task_id) == [LOST, SKIPPED]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED
    await _back(parts, host, Held(execution_id, HeldState.ENDED, has_result=True))
    await parts.report(host.host_id, result(execution_id))
    assert await _states(parts, task_id) == [LATE_COMPLETED, SKIPPED]
    assert await parts.send() == []  # a late result hands nothing out


async def test_a_command_may_still_run_when_its_delivery_timeout_passes(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    await _later(parts, 1800)
    assert await _states(parts, task_id) == [LOST]
    await _back(parts, host, Held(execution_id, HeldState.RUNNING))
    assert await _states(parts, task_id) == [RUNNING]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING


async def test_a_delivery_timeout_does_not_shorten_lost_after(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    await _back(parts, host, Held(execution_id, HeldState.ACCEPTED))
    parts.clock.turn(1795)
    (entry,) = parts.directory
    assert entry.session
    entry.session.heard_at = parts.clock.seconds
    await parts.hosts.close_session(host.host_id, entry.session.generation, "test")
    await _later(parts, 10)
    assert await _states(parts, task_id) == [PENDING]
    await _later(parts, LOST_AFTER)
    assert await _states(parts, task_id) == [LOST]


async def test_a_connected_host_checks_the_delivery_timeout_itself(parts: Parts) -> None:
    host = await parts.connect("web01")
    given = {"offline": Offline.WAIT, "delivery_timeout": HALF_AN_HOUR}
    task_id = await parts.started("web01", **given)
    ((_, run),) = parts.dispatcher.sent
    await _later(parts, 1801)
    assert await _states(parts, task_id) == [PENDING]
    said = result(run.execution_id, CommandHostStatus.FAILED, Reason.UNDELIVERABLE, duration=None)
    await parts.report(host.host_id, said)
    assert await _states(parts, task_id) == [UNDELIVERABLE]


@pytest.mark.parametrize("offline", list(Offline))
async def test_a_host_back_without_the_command_after_the_timeout_is_undeliverable(
    parts: Parts, offline: Offline
) -> None:
    host, execution_id, task_id = await _sent(parts, offline, "first", "second")
    await _later(parts, 1800)
    assert await _states(parts, task_id) == [LOST, SKIPPED]
    assert (await _back(parts, host)).missing == (execution_id,)
    assert await _states(parts, task_id) == [LOST, SKIPPED]  # until the journal has said so
    await parts.report(host.host_id, _never(execution_id))
    assert await _states(parts, task_id) == [LATE_UNDELIVERABLE, SKIPPED]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED
    assert "never reached its host" in (await parts.rows(task_id))[0].detail
    outcome = await parts.report(host.host_id, _never(execution_id))
    assert outcome.conflicts == []
    assert outcome.acknowledged[0].result
    assert (await _back(parts, host)).missing == ()
    assert await parts.send() == []


async def test_a_command_is_not_sent_again_after_its_delivery_timeout(parts: Parts) -> None:
    """Nobody has looked since the delivery timeout passed."""
    host, _, task_id = await _sent(parts, Offline.WAIT)
    parts.clock.turn(1800)
    await _back(parts, host)
    assert await parts.send() == []
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [UNDELIVERABLE]


async def test_a_lost_answer_comes_with_the_next_session(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.FAIL)
    await _later(parts, LOST_AFTER)
    asked = await _back(parts, host)
    await parts.hosts.close_session(host.host_id, asked.generation, "test")
    back = await _back(parts, host, Held(execution_id, HeldState.ENDED, has_result=True))
    assert back.missing == ()
    await parts.report(host.host_id, _never(execution_id))
    assert await _states(parts, task_id) == [LATE_UNDELIVERABLE]


async def test_a_journal_that_has_forgotten_the_command_says_how_it_ended(parts: Parts) -> None:
    """The database was put back from a backup that is older than the result."""
    host, execution_id, task_id = await _sent(parts, Offline.FAIL)
    await _later(parts, LOST_AFTER)
    assert (await _back(parts, host)).missing == (execution_id,)
    await parts.report(host.host_id, result(execution_id))
    assert await _states(parts, task_id) == [LATE_COMPLETED]


async def test_a_command_that_has_begun_is_not_asked_for(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.FAIL)
    await parts.report(host.host_id, Started(execution_id, timedelta(0)))
    await _later(parts, LOST_AFTER)
    assert await _states(parts, task_id) == [LOST]
    assert (await _back(parts, host)).missing == ()


async def test_a_cancel_of_a_command_that_may_have_begun_is_unconfirmed_after_silence(
    parts: Parts,
) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    await _later(parts, LOST_AFTER)
    await parts.tasks.cancel_task(task_id)
    assert await _states(parts, task_id) == [PENDING]
    await parts.silence.run_once()
    assert await _states(parts, task_id) == [UNCONFIRMED]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED
    assert (await _back(parts, host)).missing == (execution_id,)
    await parts.report(host.host_id, _never(execution_id))
    assert await _states(parts, task_id) == [LATE_UNDELIVERABLE]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_a_cancel_in_the_host_queue_does_not_prove_that_the_command_never_arrived(
    parts: Parts,
) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    await parts.tasks.cancel_task(task_id)
    await _later(parts, LOST_AFTER)
    assert await _states(parts, task_id) == [UNCONFIRMED]
    await _back(parts, host, Held(execution_id, HeldState.ACCEPTED))
    await parts.report(host.host_id, _never(execution_id))
    assert await _states(parts, task_id) == [LATE_CANCELED]


async def test_a_cancel_while_the_host_is_away_and_back_without_it(parts: Parts) -> None:
    host, _, task_id = await _sent(parts, Offline.WAIT)
    await parts.tasks.cancel_task(task_id)
    await _back(parts, host)
    assert await parts.send() == []
    assert await _states(parts, task_id) == [CANCELED]


async def test_a_task_does_not_wait_for_a_host_that_was_turned_away(parts: Parts) -> None:
    host, _, task_id = await _sent(parts, Offline.WAIT)
    await _later(parts, LOST_AFTER)
    await parts.admission.revoke([host.name], "ana")
    assert await _states(parts, task_id) == [LOST]


async def test_a_restarted_manager_waits_for_the_rest_of_the_time(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        host, execution_id, task_id = await _sent(parts, Offline.WAIT)
        await _later(parts, LOST_AFTER)
        instant = parts.clock.instant
    async with manager_parts(tmp_path) as parts:
        parts.clock.instant = instant
        await _later(parts, 1400)
        assert await _states(parts, task_id) == [PENDING]
        await _back(parts, host)
        assert [run.execution_id for _, run in await parts.send()] == [execution_id]


async def test_a_claim_is_not_sent_after_a_newer_hello(
    parts: Parts,
) -> None:
    """The newer Hello has answered for it already: it goes out once, on the newer session."""
    host = await parts.connect("web01")
    parts.dispatcher.rooms[host.host_id] = 0
    task_id = await parts.started("web01", offline=Offline.WAIT)
    del parts.dispatcher.rooms[host.host_id]
    place = parts.dispatch.ready_session(host.host_id)
    assert place
    claims = await parts.database.write(lambda tx: parts.dispatch.claim_for(tx, [place]))
    await parts.connect(host.name, host_id=host.host_id)
    await parts.dispatch.mark_unsent(await parts.dispatch.hand_over(claims))
    assert parts.dispatcher.sent == []
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, result(run.execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED


async def test_a_host_that_is_back_while_the_clock_is_checked_is_not_lost(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.FAIL)
    look = ClockWatch.run_once

    async def come_back(watch: ClockWatch) -> None:
        monkeypatch.setattr(ClockWatch, "run_once", look)
        await _back(parts, host, Held(execution_id, HeldState.RUNNING))

    monkeypatch.setattr(ClockWatch, "run_once", come_back)
    await _later(parts, LOST_AFTER)
    assert await _states(parts, task_id) == [RUNNING]


async def test_what_begins_after_its_agent_denied_it_runs(parts: Parts) -> None:
    host, execution_id, task_id = await _sent(parts, Offline.WAIT)
    parts.clock.turn(HALF_AN_HOUR.total_seconds() + 1)
    back = await _back(parts, host)
    assert await parts.send() == [], "its delivery timeout has passed"
    await parts.report(back.host_id, Started(execution_id, timedelta(0)))
    assert await _states(parts, task_id) == [RUNNING]
    await parts.report(back.host_id, result(execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED
