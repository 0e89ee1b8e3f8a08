"""The table of metrics: its names, and that each act is counted once, when it is durable."""

import re
from pathlib import Path

import pytest

from tests.metrics.scraping import OPENMETRICS, parsed, source_of
from tests.support.managers.manager_parts import Parts
from tui_manager.metrics.all_metrics import METRICS, read_all
from tui_manager.metrics.exposition import Exposition
from tui_manager.metrics.metric import Kind

UNITS = ("_seconds", "_bytes", "_info", "_units", "_messages")
LABELS = {
    "status",
    "reason",
    "admission",
    "connection",
    "state",
    "version",
    "manager",
    "kind",
    "certificate",
    "receiver",
    "outcome",
}


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    for metric in METRICS:
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


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=x",
        "text/plain;version=é",
        "application/openmetrics-text;version=1.0.0;escaping=x",
        ";=;,",
    ],
)
async def test_a_format_that_nobody_knows_is_answered_with_the_plain_one(
    parts: Parts, accept: str
) -> None:
    text, content_type = Exposition().text(read_all(source_of(parts)), accept)
    openmetrics = "openmetrics" in content_type
    assert parsed(text.decode(), openmetrics=openmetrics).value("leader") == 1


def test_the_manual_has_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(tui_manager_\w+)` \| (\w+) \| (.*?) \| (.+?) \|$", page, re.M))
    assert rows == {
        (one.name, one.kind.value, ", ".join(f"`{label}`" for label in one.labels), one.text[:-1])
        for one in METRICS
    }
