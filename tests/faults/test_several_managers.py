"""A short selection of the faults of several managers, on PostgreSQL; `make faults
FAULTS_DATABASE=postgresql FAULTS_MANAGERS=3` has all of them.

Each starts three managers and a few agents, and ends with the checker.
"""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from tests.faults.fleet import fleet_database
from tests.faults.fleet.fleet import MANAGERS
from tests.faults.fleet.fleet_database import CHOICE, POSTGRESQL
from tests.faults.fleet.fleet_tls import TLS
from tests.faults.long_run.campaign import campaign
from tests.faults.long_run.tally import Tally
from tests.faults.scenarios import NEED_SEVERAL, SCENARIOS
from tests.support.databases.own_postgresql import own_server

SEED = os.environ.get("FAULTS_SEED", "1")
_CHOSEN = (
    "a gateway killed, and started again",
    "a gateway cut off from the database, not from its agents",
)
_CHOSEN_WITH_TLS = (
    "agents thrown from one gateway to the next",
    "managers ended with SIGTERM by turns, each time the leader",
)
_FAULTS = ("leader killed", "a gateway cut off from its agents for seconds", "manager killed")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        os.environ.get(MANAGERS, "1") != "1", reason="tests/faults/test_faults.py has them all"
    ),
]


@pytest.fixture(scope="module", autouse=True)
def _server_in_memory() -> Iterator[None]:
    """The server is that of other tests, with data that is copied: a new one on the disk takes
    longer to make than a test."""
    with (
        own_server(max_connections="100") as server,
        patch.object(fleet_database, "_server", lambda: server),
    ):
        yield


@pytest.fixture(autouse=True)
def _three_managers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, POSTGRESQL)
    monkeypatch.setenv(MANAGERS, "3")


@pytest.mark.parametrize("name", _CHOSEN)
async def test_scenario(name: str) -> None:
    assert name in NEED_SEVERAL
    await SCENARIOS[name](SEED)


@pytest.mark.parametrize("name", _CHOSEN_WITH_TLS)
async def test_scenario_with_tls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TLS, "1")
    await SCENARIOS[name](SEED)


async def test_random_faults() -> None:
    tally = Tally()
    await campaign(SEED, 2, tally, _FAULTS)
    assert not tally.violations, "\n".join(tally.violations)
