"""The event loop is left to others while many reports are answered and many commands are sent."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts, result, spec
from tui_manager.domain.errors import AgentUnavailableError, StorageError
from tui_manager.service.core.command_log import CommandLog
from tui_manager.service.dispatch import dispatch_loop
from tui_manager.service.dispatch.claim_commands import Claims
from tui_manager.service.dispatch.dispatch_loop import NotSent
from tui_manager.service.reports import report_service
from tui_manager.service.reports.log_reports import log_outcome

NAMES = [f"web{number:02}" for number in range(1, 8)]


async def _sent(parts: Parts, *texts: str) -> dict[str, str]:
    """A task on all hosts, and the first execution of each by host_id."""
    for name in NAMES:
        await parts.connect(name)
    await parts.tasks.start_task(await parts.tasks.create_task(spec("@all", *texts)))
    return {host_id: run.execution_id for host_id, run in await parts.send()}


async def test_reports_are_answered_a_few_in_each_turn_of_the_loop(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_service, "_ANSWERS_A_TURN", 3)
    sent = await _sent(parts, "first", "second")
    turns, seen = 0, list[tuple[int, int]]()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    record = parts.reports._record

    def noting(answers: Sequence[Any]) -> None:
        seen.append((turns, len(parts.dispatcher.sent) - len(NAMES)))
        record(answers)

    monkeypatch.setattr(parts.reports, "_record", noting)
    counting = asyncio.ensure_future(count_turns())
    await asyncio.gather(*(parts.report(host, result(sent[host])) for host in sent))
    await parts.database.read(lambda tx: None)
    counting.cancel()
    handed_over = [before for _, before in seen]
    assert handed_over == sorted(handed_over)  # the next commands go with the answers
    assert len(seen) >= 3
    assert len({turn for turn, _ in seen}) == len(seen)
    texts = {(host, run.command.text) for host, run in parts.dispatcher.sent[len(NAMES) :]}
    assert texts == {(host, "second") for host in sent}


async def test_all_reports_are_answered_also_if_that_is_interrupted(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_service, "_ANSWERS_A_TURN", 1)
    sent = await _sent(parts, "first")

    async def interrupted(_: Claims) -> list[NotSent]:
        raise asyncio.CancelledError

    monkeypatch.setattr(parts.dispatch, "hand_over", interrupted)
    outcomes = await asyncio.gather(*(parts.report(host, result(sent[host])) for host in sent))
    assert all(outcome.acknowledged[0].result for outcome in outcomes)


async def test_an_error_after_one_report_leaves_the_others_alone(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(report_service, "_ANSWERS_A_TURN", 1)
    sent = await _sent(parts, "first", "second")
    poisoned = NAMES[2]

    def fail(command_log: CommandLog, host: str, outcome: Any) -> None:
        if host == poisoned:
            raise ValueError("no room for lines")
        log_outcome(command_log, host, outcome)

    monkeypatch.setattr(report_service, "log_outcome", fail)
    await asyncio.gather(*(parts.report(host, result(sent[host])) for host in sent))
    await parts.database.read(lambda tx: None)
    texts = {(host, run.command.text) for host, run in parts.dispatcher.sent[len(NAMES) :]}
    assert texts == {(host, "second") for host in sent}
    assert "an error after reports were stored" in caplog.text


async def test_commands_are_sent_a_few_in_each_turn_but_those_of_a_host_together(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch_loop, "_COMMANDS_A_TURN", 4)
    for name in NAMES:
        await parts.connect(name)
    for text in ("one", "two", "three"):
        await parts.tasks.start_task(await parts.tasks.create_task(spec("@all", text)))
    portions, send = list[list[str]](), parts.dispatch.hand_over

    async def noting(claims: Claims) -> list[NotSent]:
        portions.append([session.host_id for session, _ in claims.commands])
        return await send(claims)

    monkeypatch.setattr(parts.dispatch, "hand_over", noting)
    assert len(await parts.send()) == 3 * len(NAMES)
    assert [len(portion) for portion in portions] == [6, 6, 6, 3]
    assert [len(set(portion)) for portion in portions] == [2, 2, 2, 1]


class _FirstHasEnded:
    """A session that has just ended: its command is not sent, and is to be marked so."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host_id = ""
        self._send = parts.dispatcher.send_command_to_agent
        monkeypatch.setattr(parts.dispatcher, "send_command_to_agent", self._send_unless_first)

    async def _send_unless_first(self, host_id: str, run: Any) -> None:
        if not self.host_id:
            self.host_id = host_id
            raise AgentUnavailableError("its session has just ended")
        await self._send(host_id, run)


async def test_all_that_is_claimed_is_sent_also_if_a_write_fails(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch_loop, "_COMMANDS_A_TURN", 2)
    for name in NAMES:
        await parts.connect(name)
    await parts.tasks.start_task(await parts.tasks.create_task(spec("@all", "true")))
    ended = _FirstHasEnded(parts, monkeypatch)

    async def disk_is_full(not_sent: Sequence[NotSent]) -> None:
        assert [one.session.host_id for one in not_sent] == [ended.host_id]
        raise StorageError("disk full")

    monkeypatch.setattr(parts.dispatch, "mark_unsent", disk_is_full)
    with pytest.raises(StorageError, match="disk full"):
        await parts.dispatch.send_next()
    assert len({host for host, _ in parts.dispatcher.sent} - {ended.host_id}) == len(NAMES) - 1


async def test_no_answer_waits_for_the_news_that_a_command_was_not_sent(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_service, "_ANSWERS_A_TURN", 1)
    sent = await _sent(parts, "first", "second")
    _FirstHasEnded(parts, monkeypatch)
    answered, mark = asyncio.Event(), parts.dispatch.mark_unsent

    async def slow(not_sent: Sequence[NotSent]) -> None:
        await answered.wait()
        await mark(not_sent)

    monkeypatch.setattr(parts.dispatch, "mark_unsent", slow)
    await asyncio.gather(*(parts.report(host, result(sent[host])) for host in sent))
    assert len(parts.dispatcher.sent) == 2 * len(NAMES) - 1
    answered.set()
