"""The benchmarks work, at the smallest size. What they find depends on the machine, and is no
matter of a test."""

import json
import resource
import xml.etree.ElementTree as ET
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.budgets import BUDGETS, budget_table, find, verdicts
from bench.figures import INSECURE, MTLS, Figure, figure_table, number, percentile
from bench.floors.echo import measure_echo
from bench.growth import growth
from bench.managers import __main__ as managers
from bench.suite import GROUPS
from bench.under_test.helper_processes import shares
from bench.under_test.history import Shape, fill
from bench.under_test.open_files import TooFewFilesError, allow_connections
from tests.bench.forked_programs import forked_programs
from tui_manager.state_files import DATABASE
from tui_manager.storage.maintenance.check import check_database

_STARTED = "engines"  # the group whose programs are not forked
RATE = Figure(
    key="command_rate",
    what="commands",
    value=600.0,
    unit="commands/s",
    agents=10_000,
    security=INSECURE,
    floor=1000.0,
)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_of_benchmarks_finds_its_figures(group: str, tmp_path: Path) -> None:
    options = ["--scale", "tiny", "--only", group, "--security", MTLS, "--out", str(tmp_path)]
    with nullcontext() if group == _STARTED else forked_programs():
        assert bench.main(options) == 0
    results = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    budgets = results.pop("budgets")["budgets"]
    assert len(budgets) == len(BUDGETS)
    measured = {name for name in results if name != "floors"}
    assert measured
    for name in measured:
        for figure in results[name]["figures"]:
            assert isinstance(figure["value"], float | int), figure
        assert results[name]["machine"]["cores"]
    assert ET.parse(tmp_path / "growth.svg").getroot().tag.endswith("svg")


async def test_streams_without_tls_have_a_floor_too() -> None:
    """All else that is measured without TLS has its place in the groups of both engines."""
    with forked_programs():
        found = await measure_echo(3, INSECURE, processes=1, look=0.2, rush=0.2)
    assert found.connect_seconds > 0
    assert found.rounds_per_second > 0


def test_a_budget_is_kept_or_not_and_what_was_not_measured_says_so() -> None:
    budget = BUDGETS[0]
    slow = replace(RATE, value=400.0)
    assert budget.kept(RATE)
    assert not budget.kept(slow)
    assert not replace(budget, at_least=False).kept(replace(RATE, floor=None))
    assert find(budget, [slow, replace(RATE, agents=100)]) is slow  # the most agents count
    assert [one["kept"] for one in verdicts([RATE])].count(None) == len(BUDGETS) - 1
    lines = budget_table([slow], full=True).splitlines()
    assert lines[2].endswith("NO")
    assert lines[3].endswith("not measured")
    assert budget_table([RATE], full=False).splitlines()[2].endswith("(yes)")


def test_a_table_shows_figure_floor_and_ratio() -> None:
    head, _, row = figure_table([RATE]).splitlines()
    assert head.split()[:4] == ["what", "agents", "security", "measured"]
    assert row.split() == ["commands", "10,000", "insecure", "600", "commands/s", "1,000", "0.60"]
    assert [number(value) for value in (0.01234, 12.345, 12345.6)] == ["0.0123", "12.3", "12,346"]
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 1) == 1.0
    assert percentile([float(n) for n in range(1, 21)], 0.95) == 19.0


def test_the_growth_has_a_line_for_figure_and_floor() -> None:
    figures = [replace(RATE, agents=agents) for agents in (100, 1000)]
    lines = [part for part in ET.fromstring(growth(figures)) if part.tag.endswith("polyline")]
    assert len(lines) == 2


def test_agents_are_shared_out_over_processes() -> None:
    assert shares(10, 4) == [(0, 2), (2, 3), (5, 2), (7, 3)]
    assert shares(2, 4) == [(0, 1), (1, 1)]


def test_too_few_files_are_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow_connections(40)  # there are enough
    with pytest.raises(TooFewFilesError, match=r"5000 connections need 5200 .* allows 1024"):
        allow_connections(5000)


def test_a_made_history_is_a_sound_database(tmp_path: Path) -> None:
    shape = Shape(rows=300, hosts=20)
    fill(tmp_path, shape)
    checked = check_database(tmp_path / DATABASE)
    assert [finding.check for finding in checked.findings] == ["managers"]  # it has never run
    assert checked.tasks == shape.tasks
    assert checked.command_hosts == shape.rows


@pytest.mark.postgresql
def test_several_managers_are_measured(tmp_path: Path) -> None:
    parts = ["--only", "nats", "--only", "most"]
    with forked_programs():
        assert managers.main(["--scale", "tiny", *parts, "--out", str(tmp_path)]) == 0
    for part in ("nats", "most"):
        found = json.loads((tmp_path / f"managers-{part}.json").read_text())
        assert all(isinstance(each["value"], float | int) for each in found["figures"])
    assert ET.parse(tmp_path / "managers.svg").getroot().tag.endswith("svg")
