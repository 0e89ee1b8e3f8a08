"""Agents that come back: all at once, or as somebody else."""

import contextlib
import shutil

import psutil

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import (
    all_ended,
    new_fleet,
    only_execution,
    scenario,
    status,
    stored,
)

REFUSED = 3  # exit status of an agent that is turned away for good


@scenario("50 agents come back at once")
async def fifty(seed: str) -> None:
    names = [f"h{number}" for number in range(50)]
    async with new_fleet(seed, *names, heartbeat='"3s"') as fleet:
        task_id = await fleet.run("@all", command(30), command(10))
        await stored(fleet, 20_000)
        await fleet.kill(fleet.manager)
        await fleet.start_manager()
        await fleet.online(*names)
        fleet.note(f"{fleet.proxy.cut()} connections cut")
        await fleet.online(*names)
        await all_ended(fleet, task_id)
        check(fleet)


@scenario("an agent's state deleted")
async def state_deleted(seed: str) -> None:
    async with new_fleet(seed, "h1") as fleet:
        await fleet.run("h1", command(400))
        execution = only_execution(fleet)
        await status(fleet, execution, "running")
        await fleet.kill(fleet.agents["h1"])
        for process in fleet.supervisors():
            process.kill()
        host_id = _identity(fleet, "h1")["host_id"]
        fleet.note("the state folder is gone")
        shutil.rmtree(fleet.host("h1") / "state")
        fleet.start_agent("h1")
        assert await fleet.ended(fleet.agents["h1"]) == REFUSED, fleet.explain()
        assert "Another host is known as h1" in fleet.agents["h1"].text(), fleet.explain()
        fleet.note("who it is has been put back, but no journal")
        shutil.rmtree(fleet.host("h1") / "state")
        (fleet.host("h1") / "state").mkdir()
        manager_id = fleet.rows("SELECT manager_id FROM manager")[0][0]
        _write_identity(fleet, "h1", journal_id="another", manager_id=manager_id, host_id=host_id)
        fleet.start_agent("h1")
        await status(fleet, execution, "failed", "agent_state_lost")
        after = await fleet.run("h1", command(10))
        await fleet.ended_tasks([after])
        check(fleet, Allowed(reasons={"agent_state_lost"}))


def _identity(fleet: Fleet, name: str) -> dict[str, str]:
    data = (fleet.host(name) / "state" / "identity").read_bytes().decode()
    return dict(entry.split("=", 1) for entry in data.split("\0") if entry)


def _write_identity(fleet: Fleet, name: str, **fields: str) -> None:
    text = "".join(f"{key}={value}\0" for key, value in fields.items())
    (fleet.host(name) / "state" / "identity").write_text(text)


@scenario("an agent's state copied to a second agent")
async def state_copied(seed: str) -> None:
    async with new_fleet(seed, "h1") as fleet:
        task_id = await fleet.run("h1", command(60, held=True))
        await status(fleet, only_execution(fleet), "running")
        fleet.note("a second agent starts on a copy of the state")
        fleet.add_agent("copy")
        ignore = shutil.ignore_patterns("lock", "bell", "control")
        source, target = fleet.host("h1") / "state", fleet.host("copy") / "state"
        shutil.copytree(source, target, ignore=ignore)
        node = fleet.agents["copy"]
        node.arguments[node.arguments.index("copy")] = "h1"
        fleet.start_agent("copy")
        refusal = "another live agent has this identity"
        await fleet.wait("the refusal", node.text, lambda text: refusal in text.lower())
        assert fleet.said("reason=duplicate_identity"), fleet.explain()
        fleet.let_go("h1")
        await fleet.ended_tasks([task_id])
        again = await fleet.run("h1", command(10))
        await fleet.ended_tasks([again])
        await fleet.kill(node)
        check(fleet)


@scenario("the host restarted")
async def booted_anew(seed: str) -> None:
    async with new_fleet(seed, "h1") as fleet:
        task_id = await fleet.run("h1", command(400))
        await status(fleet, only_execution(fleet), "running")
        await stored(fleet, 1000)
        agent = fleet.agents["h1"]
        await fleet.kill(agent)
        for process in fleet.left_behind():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        boot_id = fleet.folder / "boot_id"
        boot_id.write_text("00000000-0000-4000-8000-000000000000\n")
        mount = f'mount --bind "{boot_id}" /proc/sys/kernel/random/boot_id && exec "$@"'
        agent.prefix = ["unshare", "-m", "sh", "-c", mount, "sh"]
        fleet.note("the host has another boot id")
        fleet.start_agent("h1")
        await all_ended(fleet, task_id)
        await status(fleet, only_execution(fleet), "failed", "interrupted")
        check(fleet, Allowed(reasons={"interrupted"}))


@scenario("an agent that meets another manager")
async def another_manager(seed: str) -> None:
    async with new_fleet(seed, "h1") as fleet, new_fleet(f"{seed}-other") as other:
        task_id = await fleet.run("h1", command(200, held=True))
        await status(fleet, only_execution(fleet), "running")
        agent = fleet.agents["h1"]
        fleet.note("the agent dials another manager")
        with fleet.proxy.leading_to(other.managers[0].proxy):
            assert await fleet.ended(agent) == REFUSED, fleet.explain()
        assert "this is not the manager that this agent belongs to" in agent.text().lower()
        assert other.number("SELECT count(*) FROM hosts") == 0, other.explain()
        fleet.start_agent("h1")
        fleet.let_go("h1")
        await all_ended(fleet, task_id)
        check(fleet)


@scenario("an agent connects, and the manager's first answer is lost")
async def never_welcomed(seed: str) -> None:
    async with new_fleet(seed) as fleet:
        fleet.manager.arm("before.send_welcome")
        fleet.add_agent("h1")
        fleet.start_agent("h1")
        await fleet.ended(fleet.manager)
        await fleet.start_manager()
        await fleet.online("h1")
        task_id = await fleet.run("h1", command(10))
        await all_ended(fleet, task_id)
        check(fleet)
