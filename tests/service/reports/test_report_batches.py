"""Reports that arrive while others are stored share a transaction, and fail alone."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.managers.manager_parts import (
    Parts,
    counters_differ,
    failed,
    result,
    spec,
    totals,
)
from tui_manager.domain.errors import RefusedError
from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.status import CommandHostStatus, Stream, TaskStatus
from tui_manager.service.reports import apply_reports, report_service
from tui_manager.service.reports.apply_reports import AppliedReports, ReceivedReport, ReportOutcome
from tui_manager.storage.engine.transaction import Transaction

NAMES = [f"web{number:02}" for number in range(1, 9)]


async def _sent(parts: Parts, *texts: str) -> tuple[int, dict[str, str]]:
    """A task on all hosts, and the first execution of each by host_id."""
    for name in NAMES:
        await parts.connect(name)
    task_id = await parts.tasks.create_task(spec("@all", *texts))
    await parts.tasks.start_task(task_id)
    return task_id, {host_id: run.execution_id for host_id, run in await parts.send()}


async def test_the_next_commands_are_claimed_with_the_results_of_the_last(parts: Parts) -> None:
    task_id, sent = await _sent(parts, "first", "second")
    outcomes = await asyncio.gather(*(parts.report(host, result(sent[host])) for host in sent))
    assert all(outcome.acknowledged[0].result for outcome in outcomes)
    handed_over = parts.dispatcher.sent[len(NAMES) :]
    texts = {(host, run.command.text) for host, run in handed_over}
    assert texts == {(host, "second") for host in sent}
    assert await parts.database.read(counters_differ) == []
    assert (await parts.tasks.get_task_status(task_id)) is TaskStatus.RUNNING


@pytest.mark.usefixtures("units_run_once")
async def test_a_transaction_ends_with_enough_bytes_of_output(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_service, "_BYTES_A_TRANSACTION", 1000)
    _, sent = await _sent(parts, "first")
    apply, together = apply_reports.apply, list[int]()

    def counting(
        tx: Transaction, gateway: int, received: Sequence[ReceivedReport]
    ) -> AppliedReports:
        together.append(len(received))
        return apply(tx, gateway, received)

    monkeypatch.setattr(apply_reports, "apply", counting)
    await asyncio.gather(
        *(parts.report(host, Output(sent[host], Stream.STDOUT, 0, b"x" * 400)) for host in sent)
    )
    assert together == [3, 3, 2]
    await asyncio.gather(
        *(parts.report(host, result(sent[host], totals=totals(400))) for host in sent)
    )
    assert together == [3, 3, 2, 8]


@pytest.mark.usefixtures("units_run_once")
async def test_reports_that_arrive_before_a_transaction_begins_are_stored_in_it(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sent = await _sent(parts, "first")
    groups, apply, go_on = list[int](), apply_reports.apply, threading.Event()

    def count(tx: Transaction, gateway: int, received: list[ReceivedReport]) -> AppliedReports:
        groups.append(len(received))
        return apply(tx, gateway, received)

    monkeypatch.setattr(apply_reports, "apply", count)
    before = asyncio.ensure_future(parts.database.write(lambda tx: go_on.wait()))
    reporting = []
    for host in sent:  # the first of them asks for a transaction
        reporting.append(asyncio.ensure_future(parts.report(host, result(sent[host]))))
        await parts.database.read(lambda tx: None)
    go_on.set()
    await asyncio.gather(before, *reporting)
    assert groups == [len(NAMES)]


async def test_a_task_ends_with_the_last_of_many_results(parts: Parts) -> None:
    task_id, sent = await _sent(parts, "first")
    one, *others = sent
    await asyncio.gather(
        parts.report(one, failed(sent[one])),
        *(parts.report(host, result(sent[host])) for host in others),
    )
    assert (await parts.tasks.get_task_status(task_id)) is TaskStatus.FAILED
    assert await parts.database.read(counters_differ) == []


@pytest.mark.each_engine
async def test_two_reports_of_one_host_are_stored_in_order(parts: Parts) -> None:
    _, sent = await _sent(parts, "first")
    host, execution_id = next(iter(sent.items()))
    await asyncio.gather(
        parts.report(host, Output(execution_id, Stream.STDOUT, 0, b"one")),
        parts.report(
            host,
            Output(execution_id, Stream.STDOUT, 3, b"two"),
            result(execution_id, totals=totals(6)),
        ),
    )
    chunks = await parts.tasks.output.read(execution_id, Stream.STDOUT, 0, 100)
    assert b"".join(chunk.data for chunk in chunks) == b"onetwo"


async def test_a_report_that_cannot_be_stored_fails_alone(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id, sent = await _sent(parts, "first")
    poisoned = sent[next(iter(sent))]
    apply = apply_reports.apply

    def fail(tx: Transaction, gateway: int, received: list[ReceivedReport]) -> AppliedReports:
        applied = apply(tx, gateway, received)
        if any(poisoned in item.report.execution_ids for item in received):
            raise ValueError("poisoned")
        return applied

    monkeypatch.setattr(apply_reports, "apply", fail)
    told = await asyncio.gather(
        *(parts.report(host, result(sent[host])) for host in sent), return_exceptions=True
    )
    assert [type(one) for one in told if isinstance(one, Exception)] == [ValueError]
    statuses = sorted(row.status for row in await parts.rows(task_id))
    completed = [CommandHostStatus.COMPLETED] * (len(NAMES) - 1)
    assert statuses == [*completed, CommandHostStatus.PENDING]
    assert await parts.database.read(counters_differ) == []


async def test_only_the_report_of_a_turned_away_host_is_refused(parts: Parts) -> None:
    _, sent = await _sent(parts, "first")
    await parts.admission.revoke(["web03"], "ana@pts/3")
    told = await asyncio.gather(
        *(parts.report(host, result(sent[host])) for host in sent), return_exceptions=True
    )
    assert [type(one) for one in told if isinstance(one, Exception)] == [RefusedError]


async def test_a_cancelled_caller_is_cancelled_after_its_report_is_stored(
    parts: Parts,
) -> None:
    task_id, sent = await _sent(parts, "first")
    host, execution_id = next(iter(sent.items()))
    reporting = asyncio.ensure_future(parts.report(host, result(execution_id)))
    await asyncio.sleep(0)
    reporting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reporting
    row = await parts.row(execution_id, task_id)
    assert row.status is CommandHostStatus.COMPLETED


@pytest.mark.parametrize("at", ["_answer", "_publish"])
async def test_a_caller_cancelled_while_it_is_answered_does_not_hang(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    _, sent = await _sent(parts, "first")
    host, execution_id = next(iter(sent.items()))
    inner = getattr(report_service.ReportService, at)

    def cancelling(service: report_service.ReportService, *args: Any) -> Any:
        reporting.cancel()  # before it has heard, or before it has woken of what it heard
        return inner(service, *args)

    monkeypatch.setattr(report_service.ReportService, at, cancelling)
    reporting = asyncio.ensure_future(parts.report(host, result(execution_id)))
    with pytest.raises(asyncio.CancelledError):
        await reporting


@pytest.mark.usefixtures("units_run_once")
async def test_a_host_that_reports_twice_is_stored_also_when_the_first_cannot_be(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sent = await _sent(parts, "first")
    host, execution_id = next(iter(sent.items()))
    apply, tries = apply_reports.apply, iter(range(9))

    def fail_once(tx: Transaction, gateway: int, received: list[ReceivedReport]) -> AppliedReports:
        if next(tries) == 0:
            raise ValueError("poisoned")
        return apply(tx, gateway, received)

    monkeypatch.setattr(apply_reports, "apply", fail_once)
    reporting = (parts.report(host, result(execution_id)) for _ in range(2))
    first, second = await asyncio.gather(*reporting, return_exceptions=True)
    assert isinstance(first, ValueError)
    assert isinstance(second, ReportOutcome)


async def test_claimed_commands_are_sent_whatever_else_fails(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, sent = await _sent(parts, "first", "second")
    host, execution_id = next(iter(sent.items()))

    def fail(*_: object) -> None:
        raise ValueError("no room for lines")

    monkeypatch.setattr(report_service, "log_tasks", fail)
    await parts.report(host, result(execution_id))
    await parts.database.read(lambda tx: None)
    assert (host, "second") in {(host, run.command.text) for host, run in parts.dispatcher.sent}
    assert "an error after reports were stored" in caplog.text
