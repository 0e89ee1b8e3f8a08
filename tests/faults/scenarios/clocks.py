"""Clocks that are an hour off."""

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import all_ended, scenario, stored
from tests.support.memory_folder import memory_folder

HOUR = 3600


async def _with_clocks(seed: str, manager: int, agent: int) -> None:
    with memory_folder("faults-") as folder:
        fleet = Fleet(folder, seed, {"lost_after": '"20s"'})
        fleet.manager.environment["FAULTS_SHIFT"] = str(manager)
        try:
            await fleet.listen()
            await fleet.start_managers()
            fleet.add_agent("h1").environment["FAULTS_SHIFT"] = str(agent)
            fleet.start_agent("h1")
            await fleet.online("h1")
            fleet.note(f"the manager's clock is {manager} s off, the agent's {agent} s")
            task_id = await fleet.run("@all", command(60), command(20, code=3))
            await stored(fleet, 1000)
            await fleet.kill(fleet.manager)
            await fleet.kill(fleet.agents["h1"])
            await fleet.revive()
            await all_ended(fleet, task_id)
            check(fleet, Allowed(reasons={"interrupted"}))
            for row in fleet.rows("SELECT * FROM command_hosts WHERE started_at IS NOT NULL"):
                lasted = (row["finished_at"] - row["started_at"]) / 1e6
                assert 0 <= lasted < HOUR / 2, f"{lasted} s\n{fleet.explain()}"
        finally:
            await fleet.close()


@scenario("the manager's clock an hour ahead")
async def manager_ahead(seed: str) -> None:
    await _with_clocks(seed, HOUR, 0)


@scenario("the agent's clock an hour ahead")
async def agent_ahead(seed: str) -> None:
    await _with_clocks(seed, 0, HOUR)


@scenario("the agent's clock an hour behind")
async def agent_behind(seed: str) -> None:
    await _with_clocks(seed, 0, -HOUR)
