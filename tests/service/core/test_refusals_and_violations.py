"""Violations in the audit: how often, of which host, and while the database cannot be written."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from tests.support.managers.manager_parts import Parts
from tests.support.waiting import wait_until
from tui_manager.domain.errors import Refusal, RefusedError, StorageError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.service.core.audit_and_log_limits import OTHERS, SOURCES_MAX
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.views import audit_list


async def _rows(parts: Parts) -> list[AuditEntry]:
    """What is in the audit; nothing is written for it."""
    return list((await parts.database.read(lambda tx: audit_list.window(tx, Window()))).rows)


@contextlib.asynccontextmanager
async def _running(parts: Parts) -> AsyncIterator[None]:
    running = asyncio.create_task(parts.violations.audit.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


def _offend(parts: Parts, times: int) -> None:
    for number in range(times):
        error = RefusedError(Refusal.NAME_TAKEN, f"Time {number}.")
        parts.violations.record_refusal("web01", "10.0.0.1:1", error)


async def test_the_first_event_is_written_at_once_and_the_rest_at_the_end(parts: Parts) -> None:
    async def written() -> list[AuditEntry]:
        return await _rows(parts)

    async with _running(parts):
        _offend(parts, 1)
        (first,) = await wait_until(written, bool)
        assert first.detail == {"reason": "name_taken", "address": "10.0.0.1:1", "text": "Time 0."}
        _offend(parts, 5)
    last, _ = await _rows(parts)
    assert (last.detail["text"], last.detail["count"]) == ("Time 4.", "4")


async def test_an_event_that_is_written_while_the_manager_stops_is_in_one_row(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    write = parts.database.write

    async def note_and_write(work: Callable[[Transaction], object]) -> None:
        begun.set()
        await write(work)

    monkeypatch.setattr(parts.database, "write", note_and_write)
    async with _running(parts):
        _offend(parts, 3)
        await begun.wait()
    (row,) = await _rows(parts)
    assert row.detail["count"] == "2"


async def test_no_report_is_lost_while_the_database_cannot_be_written(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def full(work: object) -> None:
        failed.set()
        raise StorageError("The disk is full.")

    async with _running(parts):
        with monkeypatch.context() as broken:
            broken.setattr(parts.database, "write", full)
            _offend(parts, 3)
            await failed.wait()
            await asyncio.sleep(0)
    (row,) = await _rows(parts)
    assert row.detail["count"] == "2"
    assert parts.statistics.counters.refusals == 3


async def test_a_source_that_was_quiet_for_an_hour_starts_anew(parts: Parts) -> None:
    for seconds, rows in ((0, 1), (60, 2), (60, 2), (60, 3), (3600, 4), (60, 5)):
        parts.clock.turn(seconds)
        _offend(parts, 1)
        assert len(await parts.audited("refuse_host")) == rows


async def _violations(parts: Parts) -> list[AuditEntry]:
    return await parts.audited("violation")


async def test_violations_have_one_row_a_minute_at_most(parts: Parts) -> None:
    host = await parts.member("web01")
    for _ in range(3):
        for _ in range(10):
            parts.hosts.record_violation(host.host_id, "It did what it must not.")
            assert len(await _violations(parts)) == 1
        parts.clock.turn(5)
    assert parts.statistics.counters.violations == 30
    parts.clock.turn(45)
    first, second = await _violations(parts)
    assert "count" not in first.detail
    assert second.detail["count"] == "28"  # with the row itself and the first: 30
    parts.clock.turn(60)
    assert len(await _violations(parts)) == 2
    parts.hosts.record_violation(host.host_id, "It did what it must not.")
    assert len(await _violations(parts)) == 2  # it goes on, and is written down less often
    parts.clock.turn(60)
    assert len(await _violations(parts)) == 3


async def test_each_host_has_its_own_row(parts: Parts) -> None:
    hosts = [await parts.member(f"web0{number}") for number in range(3)]
    for host in hosts:
        parts.hosts.record_violation(host.host_id, "It did what it must not.")
    assert {entry.host for entry in await _violations(parts)} == {"web00", "web01", "web02"}
    parts.hosts.record_violation("", "Nobody knows who it was.")
    assert len(await _violations(parts)) == 4


async def test_refusals_under_many_names_are_bounded(parts: Parts) -> None:
    await parts.member("web01")
    for number in range(SOURCES_MAX + 100):
        error = RefusedError(Refusal.NAME_TAKEN, f"The name {number} is taken.")
        parts.violations.record_refusal(f"\x1b[31mname{number}", "10.0.0.1:1", error)
    refusals = await parts.audited("refuse_host")
    assert len(refusals) == SOURCES_MAX + 1
    assert (refusals[-1].host, refusals[-1].detail["count"]) == (OTHERS, "99")
    assert all(entry.host.isprintable() for entry in refusals)


async def test_a_refused_certificate_is_recorded_for_its_host(
    parts: Parts,
) -> None:
    host = await parts.member("web01")
    await parts.admission.revoke(["web01"], "ana")
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    for number in range(20):
        with pytest.raises(RefusedError):
            await parts.dial(host.host_id, f"name{number}", key="web01")
    (entry,) = await parts.audited("refuse_host")
    assert (entry.host_id, entry.detail["reason"]) == (host.host_id, "revoked")
    assert entry.detail["count"] == "19"
