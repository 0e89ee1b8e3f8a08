"""A unit of work may run again before it is kept. What is said and done outside the database waits
until it is."""

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from tests.service.dispatch.test_agent_features import limited, start
from tests.support.databases.engines import SQLITE
from tests.support.managers.manager_parts import Parts, result
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.service.reports.report_service import ReportService
from tui_manager.storage.engine.transaction import Transaction


async def test_a_lost_agent_is_logged_once(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    host = await parts.connect("web01")
    await parts.started("web01", "true")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(2 * parts.limits.lost_after.total_seconds())
    await parts.silence.run_once()
    (line,) = [record for record in caplog.records if record.message == "agent lost"]
    assert (line.host, line.tasks) == ("web01", [1])  # type: ignore[attr-defined]


async def test_a_command_that_cannot_be_sent_is_logged_once(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    await parts.connect("web01")
    await start(parts, limited("@all"))
    await parts.send()
    lines = [record for record in caplog.records if record.message == "command cannot be sent"]
    assert [line.host for line in lines] == ["web01"]  # type: ignore[attr-defined]


async def test_reports_are_taken_once(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports that come while a transaction runs again wait for the next one."""
    for name in ("web01", "web02"):
        await parts.connect(name)
    await parts.started("@all", "true")
    begun, take = list[int](), ReportService._take_batch

    def counted(service: ReportService) -> object:
        batch = take(service)
        begun.append(len(batch))
        return batch

    monkeypatch.setattr(ReportService, "_take_batch", counted)
    await asyncio.gather(
        *(parts.report(host, result(run.execution_id)) for host, run in parts.dispatcher.sent)
    )
    assert begun == [2]


async def test_contradictions_are_looked_for_after_each_write(parts: Parts, engine: str) -> None:
    """Many tests look for them again and again; between two writes there is one look."""
    await parts.connect("web01")
    task_id = await parts.started("web01", "true")
    assert await parts.contradictions() == []

    def set_total(tx: Transaction, total: int) -> None:
        if isinstance(tx, sqlite3.Connection):
            tx.execute("UPDATE tasks SET total = ? WHERE id = ?", (total, task_id))
        else:
            tx.execute("UPDATE command_counts SET total = ? WHERE task_id = ?", (total, task_id))

    await parts.database.write(lambda tx: set_total(tx, 7))
    for _ in range(2):
        assert "task_counters" in {finding.check for finding in await parts.contradictions()}
    database = parts.database
    write = database.write if engine == SQLITE else database.write_aside
    await write(lambda tx: set_total(tx, 1))
    assert await parts.contradictions() == []
