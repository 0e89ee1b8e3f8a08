"""The loop that writes offences into the audit, also when the database cannot take them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.manager_parts import Parts
from tests.support.waiting import wait_until
from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.errors import Refusal, RefusedError, StorageError
from tui_manager.domain.window import Window
from tui_manager.storage import audit


async def _rows(parts: Parts) -> list[AuditEntry]:
    """What is in the audit; nothing is written for it."""
    return list((await parts.database.read(lambda tx: audit.window(tx, Window()))).rows)


@contextlib.asynccontextmanager
async def _running(parts: Parts) -> AsyncIterator[None]:
    running = asyncio.create_task(parts.offences.audit.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


def _offend(parts: Parts, times: int) -> None:
    for number in range(times):
        error = RefusedError(Refusal.NAME_TAKEN, f"Time {number}.")
        parts.offences.refused("web01", "10.0.0.1:1", error)


async def test_the_first_is_written_at_once_and_the_rest_at_the_end(parts: Parts) -> None:
    async def written() -> list[AuditEntry]:
        return await _rows(parts)

    async with _running(parts):
        _offend(parts, 1)
        (first,) = await wait_until(written, bool)
        assert first.detail == {"reason": "name_taken", "address": "10.0.0.1:1", "text": "Time 0."}
        _offend(parts, 5)
    last, _ = await _rows(parts)
    assert (last.detail["text"], last.detail["count"]) == ("Time 4.", "4")


async def test_nothing_is_lost_while_the_database_takes_nothing(
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


async def test_who_falls_silent_for_an_hour_counts_as_new(parts: Parts) -> None:
    for seconds, rows in ((0, 1), (60, 2), (60, 2), (60, 3), (3600, 4), (60, 5)):
        parts.clock.turn(seconds)
        _offend(parts, 1)
        assert len(await parts.audited("refuse_host")) == rows
