"""How a campaign ends if a part of the suite itself does not work."""

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults import __main__
from tests.faults.fleet import fleet_database
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.fleet_database import PostgresqlOfFleet, start_server
from tests.faults.long_run import all_runs
from tests.faults.long_run.faults import FAULTS
from tests.faults.long_run.tally import Tally
from tests.support.databases.postgresql_server import PostgresqlServer, folder_for_servers


class _Reluctant(PostgresqlServer):
    """A server that does not start the first times."""

    def __init__(self, folder: Path, failures: int) -> None:
        super().__init__(folder)
        self.failures = failures
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        if self.starts <= self.failures:
            raise AssertionError("PostgreSQL does not start: shared memory is in use")
        self.process: Any = self

    def poll(self) -> None:
        """It runs."""

    def send_signal(self, _: object) -> None:
        """It ends at once."""

    def wait(self) -> None:
        """It has ended."""


@pytest.mark.parametrize("failures", [0, 1])
def test_a_server_that_does_not_start_is_started_once_more(tmp_path: Path, failures: int) -> None:
    server = _Reluctant(tmp_path, failures)
    start_server(server)
    start_server(server)
    assert server.starts == failures + 1


def test_a_server_that_does_not_start_twice_is_a_violation(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="shared memory is in use"):
        start_server(_Reluctant(tmp_path, failures=2))


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PostgresqlOfFleet:
    """The database of a fleet, in a server that has ended and does not start again."""
    server = _Reluctant(folder_for_servers() / "tui-none", failures=0)
    monkeypatch.setattr(fleet_database, "_server", lambda: server)
    with monkeypatch.context() as patch:
        patch.setattr(PostgresqlOfFleet, "_administer", lambda *_: None)
        database = PostgresqlOfFleet(tmp_path)
    server.failures = 2
    return database


def test_the_end_of_a_fleet_says_why_its_server_does_not_start(
    unreachable: PostgresqlOfFleet,
) -> None:
    with pytest.raises(AssertionError, match="shared memory is in use"):
        unreachable.close()


def test_a_violation_is_told_together_with_what_came_before_it() -> None:
    tally = Tally()
    try:
        try:
            raise AssertionError("ran 2 times")
        finally:
            raise AssertionError("does not start")
    except AssertionError as error:
        tally.failed(error, "database server killed")
    assert tally.violations == [
        "database server killed: does not start\nbefore that: ran 2 times",
    ]


async def _crash(_: str) -> None:
    raise psycopg.OperationalError("connection refused")


async def _never_there(*_: object) -> bool:
    return False


async def _nothing(*_: object) -> None:
    pass


def test_a_run_that_crashes_is_a_violation_and_the_table_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["faults", "--runs", "0", "--seed", "1"])
    monkeypatch.setattr(all_runs, "SCENARIOS", {"crashing": _crash, "harmless": _nothing})
    for places in ("CANCEL_POINTS", "CANCEL_DEATHS", "NAMED"):
        monkeypatch.setattr(all_runs, places, ())
    monkeypatch.setattr(all_runs, "dies_at", _never_there)
    assert __main__.main() == 1
    said = capsys.readouterr().out
    assert "OperationalError: connection refused" in said
    assert "| crashing | 1 |\n| harmless | 1 |" in said
    assert "| **violations** | **1** |" in said


def test_the_table_is_printed_whatever_ends_the_campaign(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a mistake of the suite")

    monkeypatch.setattr(sys, "argv", ["faults", "--runs", "0", "--seed", "1"])
    monkeypatch.setattr(all_runs, "_all", fail)
    assert __main__.main() == 1
    said = capsys.readouterr().out
    assert "RuntimeError: a mistake of the suite" in said
    assert "| **violations** | **1** |" in said


def test_several_processes_make_each_run_once() -> None:
    runs = [(f"run {number}", _nothing) for number in range(10)]
    shares = [all_runs.Share("1", number, 3) for number in range(3)]
    made = [name for share in shares for name, _ in share.of(runs)]
    assert sorted(made) == [name for name, _ in runs]
    assert sum(share.random_runs(20) for share in shares) == 20
    assert len({share.own_seed for share in shares}) == 3


def test_the_tallies_of_several_processes_are_one() -> None:
    tally = Tally(runs=2, commands=5, faults=Counter(killed=2), violations=["first"])
    tally.add(Tally(runs=1, commands=3, faults=Counter(killed=1, cut=1), violations=["second"]))
    assert tally == Tally(
        runs=3, commands=8, faults=Counter(killed=3, cut=1), violations=["first", "second"]
    )


async def test_nobody_looks_into_a_database_whose_server_a_fault_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look would wait for the server, in the loop that must start it."""
    server = _Reluctant(folder_for_servers() / "tui-none", failures=0)
    monkeypatch.setattr(fleet_database, "_server", lambda: server)
    monkeypatch.setattr(PostgresqlOfFleet, "_administer", lambda *_: None)
    monkeypatch.setenv(fleet_database.CHOICE, fleet_database.POSTGRESQL)
    fleet = Fleet(tmp_path, "1")
    looks: list[bool] = []

    def look() -> bool:
        looks.append(server.process is not None)
        return len(looks) > 1

    looking = asyncio.create_task(fleet.wait("two looks", look))
    await FAULTS["database server killed"].inject(fleet, random.Random(1))
    await looking
    assert looks == [True, True]
