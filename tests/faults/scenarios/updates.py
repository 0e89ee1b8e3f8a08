"""Agents from bundles that are updated while programs die."""

import asyncio
import os
import random

from tests.agent.updated_host import LOOP, OLD, Bundle, program
from tests.faults.checks.checker import Allowed, check
from tests.faults.failpoints import AGENT_POINTS, UPDATE_POINTS
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.node import Node
from tests.faults.keeping import kept_alive
from tests.faults.scenarios.running import all_ended, new_fleet, scenario
from tests.support.programs.bundles import new_key, public
from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline
from tui_manager.operator.local_files.find_sources import find_sources
from tui_manager.operator.local_files.upload import upload

_UPDATES = 3
_PROGRAM = "bin/tui-manager-agent"
# Instead of the installed program, which `start` names first.
_START = ("/bin/sh", "-c", 'shift; exec "$0" "$@"')
_POINTS = [*UPDATE_POINTS, *(point for point in AGENT_POINTS if "report" in point)]
_MANAGER_POINTS = ("before.take_report", "after.take_report", "before.commit", "after.commit")


@scenario("an agent updated again and again while it and the manager die")
async def again_and_again(seed: str) -> None:
    """After each, one version runs, the one that the result says, and it works."""
    dice, key = random.Random(seed), new_key()
    async with new_fleet(seed) as fleet:
        agent = _add_agent(fleet, public(key))
        fleet.start_agent(agent.name)
        async with kept_alive(fleet):
            await fleet.online(agent.name)
            expected = OLD.partition("-")[0]
            for number in range(_UPDATES):
                version = f"0.{3 + number}.0"
                step = await _update(fleet, Bundle.of(key, version))
                work = await fleet.run("@all", command(60), offline=Offline.WAIT)
                update = await fleet.run("@all", step, offline=Offline.WAIT)
                victim = _arm(fleet, dice, agent)
                await all_ended(fleet, work, update)
                victim.disarm()
                (row,) = fleet.rows(_ENDED, update)
                assert row["status"] == "completed" or row["reason"] == "update_failed", tuple(row)
                expected = version if row["status"] == "completed" else expected
                await fleet.online(agent.name)
                await _runs(fleet, expected)
        assert agent.hits or fleet.manager.hits, fleet.explain()
        check(fleet, Allowed(reasons={"update_failed", "interrupted", "undeliverable"}))


async def _runs(fleet: Fleet, version: str) -> None:
    """Waits until the host has said that it runs this version."""
    await fleet.wait(
        f"{version} to run",
        lambda: str(fleet.rows("SELECT agent_version FROM hosts")[0]["agent_version"]),
        lambda seen: seen == version,
    )


_ENDED = "SELECT status, reason, detail FROM command_hosts WHERE task_id = ?"


def _add_agent(fleet: Fleet, key: str) -> Node:
    """An agent that runs from a bundle, not yet started."""
    agent = fleet.add_agent("h1")
    root = fleet.host("h1") / "root"
    for path, code in ((_PROGRAM, program(OLD.partition("-")[0])), (LOOP, b"")):
        file = root / "versions" / OLD / path
        file.parent.mkdir(parents=True)
        file.write_bytes(code)
        file.chmod(0o755)
    (root / "current").symlink_to(f"versions/{OLD}")
    (root / "update-keys").write_text(f"{key}\n")
    agent.prefix = [*_START, str(root / "current" / _PROGRAM)]
    return agent


async def _update(fleet: Fleet, bundle: Bundle) -> CommandSpec:
    """A step that updates agents to this bundle, which the manager stores now."""
    path = fleet.folder / bundle.name
    path.write_bytes(bundle.data)
    with await asyncio.to_thread(find_sources, [path], recursive=False) as sources:
        await fleet.ask(lambda operator: upload(operator, sources, patience=0))
        files = sources.files
    spec = UpdateSpec(files, bundle.version, bundle.build, "linux", os.uname().machine)
    return CommandSpec("", update=spec)


def _arm(fleet: Fleet, dice: random.Random, agent: Node) -> Node:
    """The agent or the manager is to die, at any moment of the update. Returns which."""
    is_manager = dice.random() < 0.25
    victim = fleet.manager if is_manager else agent
    point = dice.choice(_MANAGER_POINTS if is_manager else _POINTS)
    count = dice.randint(1, 3) if point not in UPDATE_POINTS else 1
    fleet.note(f"{victim.name} dies at {point}, time {count}")
    victim.arm(point, count)
    return victim
