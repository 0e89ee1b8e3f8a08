"""A transaction that fails in the middle changes nothing, and can be repeated."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.databases.engines import storage_failure
from tests.support.managers.enrolled_hosts import csr
from tests.support.managers.manager_parts import (
    Parts,
    counters_differ,
    greeting,
    result,
    spec,
    totals,
)
from tests.support.waiting import wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Output, Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Stream
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.storage.engine.transaction import Cursor, Transaction

TABLES = ("hosts", "tasks", "commands", "command_hosts", "output_chunks", "audit", "tokens",
    "templates", "template_versions", "template_requests",
)  # fmt: skip

TASK_FILE = 'target = "web*"\n[[steps]]\nrun = "uptime"\n'
REQUEST = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


class FailingTransaction:
    """Runs the first statements, then raises at each."""

    def __init__(self, tx: Transaction, statements: int) -> None:
        self._tx = tx
        self.left = statements

    def _count(self) -> None:
        if not self.left:
            raise storage_failure("the test's own failure")
        self.left -= 1

    def execute(self, *given: Any) -> Cursor:
        self._count()
        return self._tx.execute(*given)

    def executemany(self, *given: Any) -> Cursor:
        self._count()
        return self._tx.executemany(*given)


def _everything(tx: Transaction) -> dict[str, list[tuple[Any, ...]]]:
    return {table: [tuple(row) for row in tx.execute(f"SELECT * FROM {table}")] for table in TABLES}


def _failing_at(statements: int, work: Callable[[Transaction], Any]) -> Callable[..., Any]:
    return lambda tx: work(FailingTransaction(tx, statements))


Act = Callable[[Parts, str, str], Awaitable[object]]


async def _create(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.started("web01", "third")


async def _start(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.tasks.start_task(2)


async def _send(parts: Parts, host_id: str, _execution_id: str) -> None:
    await parts.tasks.start_task(2)
    await parts.send()


async def _cancel(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.tasks.cancel_task(1)


async def _report(parts: Parts, host_id: str, execution_id: str) -> None:
    await parts.report(
        host_id,
        Output(execution_id, Stream.STDOUT, 0, b"abc"),
        result(execution_id, totals=totals(3)),
    )


async def _begin(parts: Parts, host_id: str, execution_id: str) -> None:
    await parts.report(host_id, Started(execution_id, timedelta(0)))


async def _register(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.hosts.open_session(greeting("web02"), None)


async def _resume(parts: Parts, host_id: str, execution_id: str) -> None:
    held = (Held(execution_id, HeldState.RUNNING),)
    await parts.hosts.open_session(greeting("web01", host_id=host_id, held=held), None)


async def _lose(parts: Parts, host_id: str, _execution_id: str) -> None:
    entry = parts.directory.get(host_id)
    if entry and entry.session:
        await parts.hosts.close_session(host_id, entry.session.generation, "test")
    parts.clock.turn(1000)
    await parts.silence.run_once()


async def _make_token(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.token()


async def _enroll(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.enroll("web02", auto_approve=True)


async def _enroll_again(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.enroll("renamed", key="waiting", machine_id="another")


async def _dial_renamed(parts: Parts, _host_id: str, _execution_id: str) -> None:
    (waiting,) = parts.list_hosts(Window(text="waiting")).rows
    await parts.dial(waiting.host_id, "renamed", key="waiting", machine_id="another")


async def _approve(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.admission.approve(["waiting"], False, "ana")


async def _reject(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.admission.reject([], True, "ana")


async def _revoke(parts: Parts, host_id: str, _execution_id: str) -> None:
    parts.dispatcher.rooms[host_id] = 0
    await parts.tasks.start_task(2)
    await parts.admission.revoke(["web01"], "ana")


async def _renew(parts: Parts, _host_id: str, _execution_id: str) -> None:
    (waiting,) = parts.list_hosts(Window(text="waiting")).rows
    await parts.enrollment.renew_certificate(waiting.host_id, csr("waiting"))


async def _violate(parts: Parts, host_id: str, _execution_id: str) -> None:
    parts.hosts.record_violation(host_id, "It did what it must not.")
    parts.hosts.record_violation("", "Somebody did.")
    await parts.violations.audit.write_due()


async def _save_template(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.templates.save("restart", TASK_FILE, 0, "ana", REQUEST)


async def _save_task(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.templates.save("restart", "", 1, "ana")


async def _delete_template(parts: Parts, _host_id: str, _execution_id: str) -> None:
    await parts.templates.delete("kept", "ana")


async def _create_from_template(parts: Parts, _host_id: str, _execution_id: str) -> None:
    made = TemplateVersion("kept", 1)
    await parts.tasks.create_task(replace(spec("web01", "fourth"), template=made))


ACTS = [
    _create, _start, _send, _cancel, _report, _begin, _register, _resume, _lose, _make_token,
    _enroll, _enroll_again, _dial_renamed, _approve, _reject, _revoke, _renew, _violate,
    _save_template, _save_task, _delete_template, _create_from_template,
]  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.each_parameter
async def test_a_failure_in_the_middle_leaves_the_database_as_it_was(
    parts: Parts, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await parts.connect("web01")
    await parts.enroll("waiting")
    await parts.started("web01", "first", "second")
    await parts.tasks.create_task(spec("web01", "other"))
    await parts.templates.save("kept", TASK_FILE, 0, "ana")
    ((_, run),) = parts.dispatcher.sent
    write = parts.database.write
    failures = 0

    async def failing(work: Callable[[Transaction], Any], **how: bool) -> Any:
        """Fails at every statement in turn, looks at the database each time, then does it."""
        nonlocal failures
        for statements in itertools.count():
            before = await parts.database.read(_everything)
            try:
                return await write(_failing_at(statements, work), **how)
            except StorageError as error:
                own = "the test's own failure" in str(error)
            assert own
            assert await parts.database.read(_everything) == before
            failures += 1

    monkeypatch.setattr(parts.database, "write", failing)
    await act(parts, host.host_id, run.execution_id)
    assert failures >= 2
    assert await parts.database.read(counters_differ) == []


def _pages(number: int) -> Callable[[Transaction], None]:
    """Lets the database grow to so many pages, as a disk would."""

    def work(tx: Transaction) -> None:
        tx.execute(f"PRAGMA max_page_count = {number}").fetchall()

    return work


@pytest.mark.sqlite("tests/faults fills the disk of a server")
async def test_reports_wait_while_the_disk_is_full(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    monkeypatch.setattr("tui_manager.service.reports.report_service._RETRY", 0)
    await parts.database.write(_pages(1))
    data = b"x" * 500_000
    piece = Output(run.execution_id, Stream.STDOUT, 0, data)
    ended = result(run.execution_id, totals=totals(len(data)))
    reporting = asyncio.ensure_future(parts.report(host.host_id, piece, ended))

    async def shown() -> str:
        return parts.statistics.storage_error

    assert "full" in await wait_until(shown, bool)
    assert not reporting.done()
    assert (await parts.rows(task_id))[0].status == "pending"
    await parts.database.write(_pages(1_000_000))
    outcome = await reporting
    assert outcome.acknowledged[0].result
    parts.clock.turn(3)
    parts.statistics.clear_storage_error()
    assert parts.statistics.storage_error == ""
    assert (await parts.rows(task_id))[0].status == "completed"
