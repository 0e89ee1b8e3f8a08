"""A short selection of the fault suite; `make faults` makes the long run.

Every run starts real managers and agents, and ends with the checker.
"""

import asyncio
import os
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders.cgroup_support import find_cgroup_root

from tests.faults.fleet.fleet import NO_CGROUPS, fleet_of
from tests.faults.long_run.campaign import campaign
from tests.faults.long_run.tally import Tally
from tests.faults.scenarios import SCENARIOS, fits
from tests.faults.scenarios.cancels import (
    CANCEL_DEATHS,
    CANCEL_POINTS,
    cancel_on_host_outlives,
    cancel_outlives,
    canceled_at,
)
from tests.faults.sweep import NAMED, dies_at
from tests.support.run_length import examples

SEED = os.environ.get("FAULTS_SEED", "1")


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario(name: str) -> None:
    if not fits(name):
        pytest.skip("it needs root, another database, or another number of managers")
    await SCENARIOS[name](SEED)


@pytest.mark.parametrize("point", CANCEL_POINTS[::2])
async def test_cancel_races_with_what_happens_at(point: str) -> None:
    await canceled_at(SEED, point)


@pytest.mark.parametrize(("who", "point"), CANCEL_DEATHS[::2])
async def test_a_cancel_outlives_death_at(who: str, point: str) -> None:
    await cancel_outlives(SEED, who, point)


@pytest.mark.parametrize(("who", "point"), CANCEL_DEATHS[::3])
async def test_a_cancel_on_one_host_outlives_death_at(who: str, point: str) -> None:
    await cancel_on_host_outlives(SEED, who, point)


@pytest.fixture(params=["cgroup", "processes"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of killing."""
    if request.param == "processes":
        monkeypatch.setenv(NO_CGROUPS, "1")
    elif find_cgroup_root(f"test-{uuid.uuid4()}") is None:
        pytest.skip("this system gives its tests no cgroups")
    return str(request.param)


@pytest.mark.parametrize("point", ["after.take", "after.note_start", "before.finish"])
async def test_a_supervisor_dies_on_both_ways_of_killing(way: str, point: str) -> None:
    assert await dies_at(SEED, "supervisor", point), f"{point} was never reached"


async def test_what_was_lost_is_canceled_on_both_ways_of_killing(way: str) -> None:
    await cancel_outlives(SEED, *CANCEL_DEATHS[-1])


async def test_agents_use_the_way_that_the_fleet_says(way: str, tmp_path: Path) -> None:
    async with fleet_of(tmp_path, SEED, "h1") as fleet:
        # A thread writes an agent's log. This line comes after the one about cgroups.
        text = await fleet.wait(
            "the log to tell of the welcome",
            lambda: fleet.agents["h1"].text(),
            lambda text: "welcome: " in text,
        )
    assert ("commands run in cgroups of their own" in text) == (way == "cgroup")


async def test_a_manager_that_is_killed_while_it_starts_is_started_again(tmp_path: Path) -> None:
    async with fleet_of(tmp_path, SEED) as fleet:
        await fleet.kill(fleet.manager)
        starts = asyncio.create_task(fleet.start_manager())
        await fleet.wait("the start", lambda: fleet.manager.alive, bool)
        await fleet.kill(fleet.manager)
        await starts
        assert fleet.manager.alive


@pytest.mark.parametrize(("who", "point"), NAMED[::5])
async def test_death_at(who: str, point: str) -> None:
    assert await dies_at(SEED, who, point), f"{point} was never reached"


@pytest.mark.parametrize("count", range(5, 50, 9))
async def test_death_between_statements(count: int) -> None:
    assert await dies_at(SEED, "manager", "statement", count), f"there are no {count} statements"


async def test_random_faults() -> None:
    tally = Tally()
    await campaign(SEED, examples(5, few=2), tally)
    assert not tally.violations, "\n".join(tally.violations)
