"""Who is away for long: agents that are lost, managers that end or stand still."""

import asyncio
import dataclasses
import signal
from datetime import timedelta

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.scenarios.running import (
    all_ended,
    new_fleet,
    only_execution,
    scenario,
    status,
    stored,
)


@scenario("an agent lost, and back while it still runs")
async def lost_and_back(seed: str) -> None:
    async with new_fleet(seed, "h1", lost_after='"1s"') as fleet:
        task_id = await fleet.run("h1", command(30, held=True), command(10))
        execution = fleet.rows("SELECT execution_id FROM command_hosts WHERE position = 0")[0][0]
        await status(fleet, execution, "running")
        await fleet.kill(fleet.agents["h1"])
        await status(fleet, execution, "failed", "agent_lost")
        fleet.start_agent("h1")
        await status(fleet, execution, "running", "")
        fleet.let_go("h1")
        await all_ended(fleet, task_id)
        await status(fleet, execution, "completed", "")
        check(fleet, Allowed(corrected=True))


@scenario("an agent lost, and back with a late result")
async def late(seed: str) -> None:
    async with new_fleet(seed, "h1", lost_after='"1s"') as fleet:
        task_id = await fleet.run("h1", command(60, held=True))
        execution = only_execution(fleet)
        await status(fleet, execution, "running")
        await fleet.kill(fleet.agents["h1"])
        await status(fleet, execution, "failed", "agent_lost")
        fleet.let_go("h1")
        await fleet.wait("the command to end", fleet.supervisors, lambda found: not found)
        fleet.start_agent("h1")
        await status(fleet, execution, "completed", "")
        await all_ended(fleet, task_id)
        assert fleet.number("SELECT late FROM command_hosts") == 1, fleet.explain()
        check(fleet)


@scenario("a cancel unconfirmed, and confirmed late")
async def cancel_confirmed_late(seed: str) -> None:
    async with new_fleet(seed, "h1", lost_after='"1s"') as fleet:
        task_id = await fleet.run("h1", command(3000))
        execution = only_execution(fleet)
        await status(fleet, execution, "running")
        await fleet.kill(fleet.agents["h1"])
        await fleet.cancel(task_id)
        await status(fleet, execution, "canceled", "cancel_unconfirmed")
        fleet.start_agent("h1")
        await status(fleet, execution, "canceled", "canceled")
        await all_ended(fleet, task_id)
        check(fleet)


@scenario("the manager stopped for longer than lost_after")
async def stood_still(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", lost_after='"2s"') as fleet:
        task_id = await fleet.run("@all", command(400), command(10))
        await stored(fleet, 1000)
        fleet.agents["h2"].send(signal.SIGKILL)
        fleet.note("the manager stands still for 3 s, while an agent dies and comes back")
        fleet.manager.send(signal.SIGSTOP)
        await fleet.ended(fleet.agents["h2"])
        await asyncio.sleep(3)
        fleet.start_agent("h2")
        fleet.manager.send(signal.SIGCONT)
        await all_ended(fleet, task_id)
        lost = "SELECT count(*) FROM command_hosts WHERE reason <> '' OR late"
        assert fleet.number(lost) == 0, fleet.explain()
        check(fleet)


@scenario("a timeout while the manager is away")
async def timed_out(seed: str) -> None:
    async with new_fleet(seed, "h1") as fleet:
        slow = dataclasses.replace(command(3000), timeout=timedelta(seconds=1))
        task_id = await fleet.run("h1", slow)
        await status(fleet, only_execution(fleet), "running")
        await fleet.kill(fleet.manager)
        await fleet.wait("the command to end", fleet.supervisors, lambda found: not found)
        await fleet.start_manager()
        await all_ended(fleet, task_id)
        await status(fleet, only_execution(fleet), "timeout", "timeout")
        check(fleet, Allowed(reasons={"timeout"}))


@scenario("the manager ended with SIGTERM while output streams")
async def ended_in_order(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2") as fleet:
        task_id = await fleet.run("@all", command(200))
        await stored(fleet, 5000)
        assert await fleet.terminate(fleet.manager) == 0, fleet.explain()
        for name in ("h1", "h2"):
            text = await fleet.wait(
                f"{name} to be told to come back",
                fleet.agents[name].text,
                lambda text: "no manager" in text,
            )
            assert "The manager shuts down" in text, fleet.explain()
        await fleet.start_manager()
        await all_ended(fleet, task_id)
        check(fleet)
