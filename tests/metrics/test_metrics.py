"""The table of metrics: its names, and that each act is counted once, when it is durable."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.metrics.scraping import OPENMETRICS, parsed, scraped, source_of
from tests.support.manager_parts import Parts, failed, result
from tui_manager.domain.errors import StorageError
from tui_manager.domain.report import Started
from tui_manager.metrics.all_metrics import METRICS, read_all
from tui_manager.metrics.exposition import Exposition
from tui_manager.metrics.metric import Kind, Metric
from tui_manager.storage.engine.tally import Act, count
from tui_manager.storage.engine.transaction import Transaction

UNITS = ("_seconds", "_bytes", "_info", "_units", "_messages")
LABELS = {"status", "reason", "admission", "connection", "state", "version", "manager"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_named_as_prometheus_wants_it(metric: Metric) -> None:
    assert re.fullmatch(r"tui_manager_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith(UNITS)
    assert re.fullmatch(r"[A-Z0-9].*\.", metric.text)
    assert set(metric.labels) <= LABELS


def test_no_name_is_used_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


async def test_both_formats_say_the_same(parts: Parts) -> None:
    exposition, readings = Exposition(), read_all(source_of(parts))
    plain, plain_type = exposition.text(readings, "")
    openmetrics, open_type = exposition.text(readings, OPENMETRICS)
    one, other = parsed(plain.decode()), parsed(openmetrics.decode(), openmetrics=True)
    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics")
    ours = {key: value for key, value in one.values.items() if key[0].startswith("tui_manager_")}
    assert ours == {key: other.values[key] for key in ours}
    names = {metric.name.removesuffix("_total") for metric in METRICS}
    without_value = {"tui_manager_leader_epoch"}  # on SQLite
    assert names - without_value <= one.kinds.keys()
    assert "process_resident_memory_bytes" in one.kinds


async def test_ends_are_counted_by_status_and_reason(parts: Parts) -> None:
    host, other = await parts.connect("web01"), await parts.connect("web02")
    await parts.started("web[01-02]", "true", "false")
    first, second = (run for _, run in parts.dispatcher.sent)
    await parts.report(host.host_id, Started(first.execution_id, timedelta(0)))
    await parts.report(host.host_id, result(first.execution_id))
    await parts.report(other.host_id, failed(second.execution_id))
    third = parts.dispatcher.sent[-1][1]
    for _ in range(2):  # a repeat changes nothing
        await parts.report(host.host_id, failed(third.execution_id))
    said = scraped(parts)
    ended = "command_hosts_ended_total"
    assert said.value(ended, status="completed", reason="") == 1
    assert said.value(ended, status="failed", reason="exit_code") == 2
    assert said.value(ended, status="skipped", reason="earlier_failed") == 1
    assert said.value("command_hosts_started_total") == 1
    assert said.value("tasks_created_total") == said.value("tasks_started_total") == 1
    assert said.value("tasks_ended_total", status="failed") == 1
    assert said.value("commands_sent_total") == 3
    assert said.value("admitted_hosts", connection="online") == 2


async def test_what_was_undone_is_not_counted(parts: Parts) -> None:
    def work(tx: Transaction) -> None:
        count(Act.TASK_CREATED)
        raise StorageError("of the test")

    with pytest.raises(StorageError):
        await parts.core.database.write(work)
    assert scraped(parts).value("tasks_created_total") == 0
    await parts.core.database.write(lambda _tx: count(Act.TASK_CREATED, number=2))
    assert scraped(parts).value("tasks_created_total") == 2


async def test_a_failed_write_is_seen(parts: Parts) -> None:
    assert scraped(parts).value("database_writable") == 1
    parts.statistics.record_transaction(0.1, "The disk is full.")
    said = scraped(parts)
    assert (said.value("database_writable"), said.value("transactions_failed_total")) == (0, 1)


async def test_a_manager_alone_leads(parts: Parts) -> None:
    said = scraped(parts)
    assert (said.value("leader"), said.value("managers", state="leads")) == (1, 1)
    assert said.value("build_info", version="1.2.3", manager="m1") == 1


def test_the_manual_has_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(tui_manager_\w+)` \| (\w+) \| (.*?) \| (.+?) \|$", page, re.M))
    assert rows == {
        (one.name, one.kind.value, ", ".join(f"`{label}`" for label in one.labels), one.text[:-1])
        for one in METRICS
    }
