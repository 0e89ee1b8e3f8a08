"""Rollouts while the manager dies, operators disagree, and hosts go and come back."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import all_ended, new_fleet, scenario
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.task_spec.rollout_spec import HoldRule, RolloutSpec

_STATES = """
SELECT h.name, trim(ch.status || ' ' || ch.reason) AS state FROM command_hosts AS ch
JOIN hosts AS h ON h.id = ch.host WHERE ch.task_id = ? AND ch.position = 0
"""
_HOLDS = RolloutSpec(batches="1,rest", hold=HoldRule.FIRST)
_SPENT = "skipped budget_spent"


def _states(fleet: Fleet, task_id: int) -> Mapping[str, str]:
    """The status of the first command by host, with the reason if there is one."""
    return {row["name"]: row["state"] for row in fleet.rows(_STATES, task_id)}


async def _state(fleet: Fleet, task_id: int, host: str, wanted: str) -> None:
    await fleet.wait(
        f"{host} to be {wanted}",
        lambda: _states(fleet, task_id)[host],
        lambda seen: seen == wanted,
    )


async def _batch_ended(fleet: Fleet, batch: int) -> None:
    query = "SELECT count(*) FROM rollouts WHERE batch = ? AND batch_ended_at IS NOT NULL"
    await fleet.wait(f"batch {batch} to end", lambda: fleet.number(query, batch))


async def _held(fleet: Fleet, task_id: int) -> None:
    query = "SELECT held_until FROM rollouts WHERE task_id = ?"
    await fleet.wait("the hold", lambda: fleet.number(query, task_id))


@scenario("the manager killed between two batches of a rollout")
async def killed_between_batches(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", "h3") as fleet:
        spec = RolloutSpec(batches="1", delay=timedelta(seconds=1))
        task_id = await fleet.run("@all", command(20), command(10), rollout=spec)
        for batch in (1, 2):
            await _batch_ended(fleet, batch)
            await fleet.kill(fleet.manager)
            await fleet.start_manager()
        await all_ended(fleet, task_id)
        assert set(_states(fleet, task_id).values()) == {"completed"}, fleet.explain()
        check(fleet)


@scenario("the manager killed during a hold, which is released after it")
async def killed_during_a_hold(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", "h3") as fleet:
        task_id = await fleet.run("@all", command(20), rollout=_HOLDS)
        await _held(fleet, task_id)
        await fleet.kill(fleet.manager)
        await fleet.start_manager()
        await fleet.online("h1", "h2", "h3")
        assert _states(fleet, task_id)["h2"] == "pending", fleet.explain()
        assert await fleet.resume(task_id)
        await all_ended(fleet, task_id)
        assert set(_states(fleet, task_id).values()) == {"completed"}, fleet.explain()
        check(fleet)


@scenario("a held rollout resumed by one operator while another cancels it")
async def resumed_and_canceled(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2") as fleet:
        task_ids = [await fleet.run("@all", command(20), rollout=_HOLDS) for _ in range(6)]
        for task_id in task_ids:
            await _held(fleet, task_id)
            acts = [fleet.resume(task_id), fleet.cancel(task_id)]
            await asyncio.gather(*(acts if task_id % 2 else reversed(acts)))
            assert not await fleet.resume(task_id), fleet.explain()
        await all_ended(fleet, *task_ids)
        check(fleet)


@scenario("a host lost in a rollout, and back with success after the rest was skipped")
async def lost_and_late(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", "h3", lost_after='"1s"') as fleet:
        spec = RolloutSpec(batches="1,rest", max_failures="0")
        task_id = await fleet.run("@all", command(20, held=True), rollout=spec)
        await _state(fleet, task_id, "h1", "running")
        await fleet.kill(fleet.agents["h1"])
        await fleet.ended_tasks([task_id])
        lost = {"h1": "failed agent_lost", "h2": _SPENT, "h3": _SPENT}
        assert _states(fleet, task_id) == lost, fleet.explain()
        assert fleet.number("SELECT hosts_failed FROM rollouts") == 1, fleet.explain()
        fleet.let_go("h1")
        await fleet.wait("the command to end", fleet.supervisors, lambda found: not found)
        fleet.start_agent("h1")
        await _state(fleet, task_id, "h1", "completed")
        await all_ended(fleet, task_id)
        assert _states(fleet, task_id) == {**lost, "h1": "completed"}, fleet.explain()
        assert fleet.number("SELECT hosts_failed FROM rollouts") == 0, fleet.explain()
        check(fleet, Allowed(corrected=True))


@scenario("a host lost in a rollout, and back while it still runs after the rest was skipped")
async def lost_and_running(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", "h3", lost_after='"1s"') as fleet:
        spec = RolloutSpec(batches="1,rest", max_failures="0")
        commands = (command(20, held=True), command(10))
        task_id = await fleet.run("@all", *commands, rollout=spec)
        await _state(fleet, task_id, "h1", "running")
        await fleet.kill(fleet.agents["h1"])
        await fleet.ended_tasks([task_id])
        await fleet.kill(fleet.manager)
        await fleet.start_manager()
        fleet.start_agent("h1")
        await _state(fleet, task_id, "h1", "running")
        fleet.let_go("h1")
        await all_ended(fleet, task_id)
        states = {"h1": "completed", "h2": _SPENT, "h3": _SPENT}
        assert _states(fleet, task_id) == states, fleet.explain()
        check(fleet, Allowed(corrected=True))


@scenario("hosts revoked, renamed and put into maintenance while their batch waits")
async def changed_while_waiting(seed: str) -> None:
    names = ("h1", "h2", "h3", "h4", "h5")
    async with new_fleet(seed, *names) as fleet:
        task_id = await fleet.run("@all", command(20), rollout=_HOLDS)
        await _held(fleet, task_id)
        await fleet.ask(lambda operator: operator.revoke_hosts(["h2"]))
        await fleet.ask(lambda operator: operator.set_maintenance(["h3"], "disk"))
        await fleet.ask(lambda operator: operator.rename_host("h4", "other"))
        await fleet.kill(fleet.manager)
        await fleet.start_manager()
        await fleet.online("h1", "h3", "h5")
        assert await fleet.resume(task_id)
        await all_ended(fleet, task_id)
        states = {
            "h1": "completed",
            "h2": "failed undeliverable",
            "h3": "skipped maintenance",
            "other": "completed",
            "h5": "completed",
        }
        assert _states(fleet, task_id) == states, fleet.explain()
        check(fleet, Allowed(reasons={"undeliverable"}))


@scenario("a host with unfinished work not removed, but revoked and removed, while its batch waits")
async def removed_while_waiting(seed: str) -> None:
    async with new_fleet(seed, "h1", "h2", "h3") as fleet:
        task_id = await fleet.run("@all", command(20), rollout=_HOLDS)
        await _held(fleet, task_id)
        await fleet.terminate(fleet.agents["h2"])
        await fleet.see_offline("h2")
        with pytest.raises(IllegalMoveError, match="has not ended"):
            await fleet.ask(lambda operator: operator.remove_hosts(["h2"]))
        await fleet.ask(lambda operator: operator.revoke_hosts(["h2"]))
        await fleet.ask(lambda operator: operator.remove_hosts(["h2"]))
        assert await fleet.resume(task_id)
        await all_ended(fleet, task_id)
        states = {"h1": "completed", "h2": "failed undeliverable", "h3": "completed"}
        assert _states(fleet, task_id) == states, fleet.explain()
        check(fleet, Allowed(reasons={"undeliverable"}))
