"""What goes to a real Prometheus: its own checks of metrics, rules and example, a real scrape, and
the Grafana dashboard. Where Prometheus is not installed, that part is skipped."""

import asyncio
import json
import re
import subprocess
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.prepare import find_program
from tests.metrics.scraping import request, source_of
from tests.support.databases.postgresql_server import ended_with_parent
from tests.support.managers.manager_parts import Parts
from tests.support.waiting import wait_until
from tui_manager.metrics.all_metrics import METRICS, read_all
from tui_manager.metrics.exposition import Exposition
from tui_manager.metrics.serve_metrics import serve_metrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "packaging" / "prometheus" / "tui-manager.rules.yml"
EXAMPLE = RULES.with_name("prometheus.yml")
DASHBOARD = ROOT / "packaging" / "grafana" / "tui-manager.json"
ALERTS = Path(__file__).with_name("alerts.test.yml")
PAGE = ROOT / "docs" / "monitoring.md"
NAMES = {metric.name for metric in METRICS}


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        pytest.skip(f"{name} is not installed: run `make lab` on Debian")
    return found


def _promtool(*arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        [_program("promtool"), *arguments], input=stdin, capture_output=True, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def _named(text: str) -> set[str]:
    """The metrics of ours that a text names, without the endings of a histogram."""
    found = set(re.findall(r"\btui_manager_[a-z_]+", text))
    return {
        re.sub("_(bucket|sum|count)$", "", name) if name not in NAMES else name for name in found
    }


def _expressions() -> Iterator[str]:
    """All expressions of the dashboard, with values for its variables."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            written = target["expr"].replace("$__rate_interval", "5m")
            yield written.replace("$job", ".+").replace("$instance", ".+")


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_rules_and_dashboard_name_metrics_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert _named(text.replace("tui-manager", "")) <= NAMES


def test_every_metric_is_on_the_dashboard_or_seldom_asked_for() -> None:
    seldom = {
        "tui_manager_command_hosts_started_total",
        "tui_manager_commands_running",
        "tui_manager_commands_sent_total",
        "tui_manager_hosts",
        "tui_manager_leader_epoch",
        "tui_manager_managers",
        "tui_manager_rollouts_stuck",
        "tui_manager_schedule_delay_seconds",
        "tui_manager_sessions_opened_total",
        "tui_manager_tasks_created_total",
        "tui_manager_tasks_reopened_total",
        "tui_manager_tasks_started_total",
        "tui_manager_write_wait_seconds",
    }
    assert NAMES - _named(DASHBOARD.read_text(encoding="utf-8")) == seldom


def test_no_panel_of_the_dashboard_covers_another() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_alert_is_in_the_manual() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))
    rows = re.findall(r"^\| `(TuiManager\w+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert rows == alerts


def test_promtool_accepts_rules_and_example() -> None:
    _promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    _promtool("check", "config", str(EXAMPLE))


def test_promtool_accepts_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(_expressions())
    ]
    path = tmp_path / "dashboard.yml"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in _promtool("check", "rules", str(path))


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yml"
    path.write_text(ALERTS.read_text(encoding="utf-8").replace("RULES", str(RULES)))
    _promtool("test", "rules", str(path))


async def test_promtool_accepts_the_metrics(parts: Parts) -> None:
    text, _ = Exposition().text(read_all(source_of(parts)), "")
    assert _promtool("check", "metrics", stdin=text) == ""


@asynccontextmanager
async def _prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """A Prometheus that scrapes a target with the rules of the package; its address."""
    config = EXAMPLE.read_text(encoding="utf-8").replace("127.0.0.1:9464", target)
    config = config.replace("tui-manager.rules.yml", str(RULES)).replace("15s", "100ms")
    (folder / "prometheus.yml").write_text(config)
    process = await asyncio.create_subprocess_exec(
        *ended_with_parent(),
        _program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:0",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    reading = None
    try:
        lines = list[str]()
        while not (found := re.search(r'msg="Listening on" address=(\S+)', "".join(lines[-1:]))):
            line = await process.stderr.readline()
            assert line, "".join(lines)
            lines.append(line.decode())
        reading = asyncio.create_task(process.stderr.read())
        await wait_until(lambda: request(found[1], "/-/ready"), lambda said: said[0] == 200)
        yield found[1]
    finally:
        process.kill()
        await process.wait()
        if reading:
            await reading


async def _api(address: str, path: str, **values: str) -> Any:
    query = urllib.parse.urlencode(values)
    status, _, body = await request(
        address, f"GET /api/v1/{path}?{query} HTTP/1.0\r\n\r\n".encode()
    )
    assert status == 200, body
    return json.loads(body)["data"]


async def test_a_real_prometheus_scrapes_a_manager(parts: Parts, tmp_path: Path) -> None:
    _program("prometheus")
    await parts.connect("web01")
    parts.statistics.record_transaction(0.1, "The disk is full.")
    async with (
        serve_metrics("127.0.0.1:0", source_of(parts)) as target,
        _prometheus(tmp_path, target) as address,
    ):
        online = 'tui_manager_admitted_hosts{connection="online"}'
        answer = await wait_until(
            lambda: _api(address, "query", query=online), lambda said: said["result"]
        )
        (found,) = answer["result"]
        assert found["value"][1] == "1"
        assert found["metric"]["instance"] == target
        (scrape,) = (await _api(address, "targets"))["activeTargets"]
        assert (scrape["health"], scrape["lastError"]) == ("up", "")
        alerts = await wait_until(
            lambda: _api(address, "alerts"),
            lambda said: any(
                alert["labels"]["alertname"] == "TuiManagerDatabaseUnwritable"
                for alert in said["alerts"]
            ),
        )
        assert {alert["state"] for alert in alerts["alerts"]} <= {"pending", "firing"}
