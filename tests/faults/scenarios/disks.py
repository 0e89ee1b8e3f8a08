"""Disks that are full, and have space again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import all_ended, new_fleet, scenario, stored
from tests.support.memory_folder import memory_folder


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Makes a folder a disk of this size, until the block is left."""
    place.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(place)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def may_be_root() -> bool:
    """Whether this user may make such a disk, and give a program another boot id."""
    own_mounts = ["unshare", "-m", "true"]
    return os.geteuid() == 0 and not subprocess.run(own_mounts, check=False).returncode


def fill(place: Path) -> Path:
    """Writes a file until the disk is full, and returns it."""
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@scenario("the manager's disk full")
async def manager_disk_full(seed: str) -> None:
    with memory_folder("faults-") as folder:
        fleet = Fleet(folder, seed, {"lost_after": '"2s"'})
        with small_disk(fleet.state_dir, "8m"):
            try:
                await fleet.start("h1", "h2")
                await _full_and_free_again(fleet)
            finally:
                await fleet.close()


async def _full_and_free_again(fleet: Fleet) -> None:
    task_id = await fleet.run("@all", command(300), command(30))
    await stored(fleet, 5000)
    fleet.note("the manager's disk is full")
    filler = fill(fleet.state_dir)
    await _said(fleet, "the database cannot be written", "Results wait for the database")
    query = "SELECT count(*) FROM command_hosts WHERE status = 'failed'"
    for node in fleet.agents.values():  # who comes back meanwhile is not lost by that
        await fleet.kill(node)
    await fleet.revive()
    await fleet.wait(
        "agents to be turned away",
        lambda: fleet.agents["h1"].text() + fleet.agents["h2"].text(),
        lambda text: "cannot use its database" in text,
    )
    assert fleet.number(query) == 0, fleet.explain()
    fleet.note("there is space again")
    filler.unlink()
    await all_ended(fleet, task_id)
    again = "the database can be written again"
    await fleet.wait(again, fleet.manager.text, lambda text: again in text)
    await _no_attention(fleet)
    check(fleet, Allowed(reasons={"interrupted"}))


async def _said(fleet: Fleet, in_log: str, in_status: str) -> None:
    await fleet.wait(in_log, fleet.manager.text, lambda text: in_log in text)
    attention = await fleet.attention()
    assert any(in_status in sentence for sentence in attention), f"{attention}\n{fleet.explain()}"


async def _no_attention(fleet: Fleet) -> None:
    attention = await fleet.attention()
    assert not any("database" in sentence for sentence in attention), attention


@scenario("an agent's disk full")
async def agent_disk_full(seed: str) -> None:
    async with new_fleet(seed) as fleet:
        with small_disk(fleet.host("h1") / "state", "1m"):
            fleet.add_agent("h1")
            fleet.start_agent("h1")
            await fleet.online("h1")
            await _dropped_then_refused(fleet)
            await fleet.kill(fleet.agents["h1"])


async def _dropped_then_refused(fleet: Fleet) -> None:
    flood = await fleet.run("h1", command(15_000, step=0))
    await all_ended(fleet, flood)
    (row,) = fleet.rows("SELECT truncated_bytes, detail FROM command_hosts")
    assert row["truncated_bytes"] > 0, fleet.explain()
    assert "No space left on device" in row["detail"], fleet.explain()
    fleet.note("the agent's disk is full")
    filler = fill(fleet.host("h1") / "state")
    refused = await fleet.run("h1", command(10))
    await fleet.ended_tasks([refused])
    (row,) = fleet.rows("SELECT * FROM command_hosts WHERE task_id = ?", refused)
    assert row["reason"] == "spawn_failed", fleet.explain()
    assert "No space left on device" in row["detail"], fleet.explain()
    fleet.note("there is space again")
    filler.unlink()
    again = await fleet.run("h1", command(10))
    await all_ended(fleet, again)
    (row,) = fleet.rows("SELECT status FROM command_hosts WHERE task_id = ?", again)
    assert row["status"] == "completed", fleet.explain()
    check(fleet, Allowed(reasons={"spawn_failed"}, dropped=True))
