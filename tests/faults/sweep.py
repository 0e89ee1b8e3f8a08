"""Dies at every failpoint once: those with a name, and those between the statements of the
transactions of the manager, from a host's first Hello to the end of its task."""

import random

from tests.faults.checks.checker import Allowed, check
from tests.faults.checks.file_checks import compare_fetched
from tests.faults.failpoints import (
    AGENT_POINTS,
    FORK_SERVER_POINTS,
    MANAGER_POINTS,
    SUPERVISOR_POINTS,
)
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.node import Node
from tests.faults.keeping import kept_alive
from tests.faults.scenarios.running import all_ended, new_fleet
from tests.support.file_trees import MIB, noise, random_tree
from tui_manager.domain.task_spec.task_spec import Offline

NAMED = tuple(
    (who, point)
    for who, points in (
        ("manager", MANAGER_POINTS),
        ("agent", AGENT_POINTS),
        ("supervisor", SUPERVISOR_POINTS),
        ("fork server", FORK_SERVER_POINTS),
    )
    for point in points
    if "cancel" not in point and point != "statement"
)


async def dies_at(seed: str, who: str, point: str, count: int = 1) -> bool:
    """One task in which one of them dies there; whether it came there at all."""
    async with new_fleet(seed) as fleet:
        fleet.add_agent("h1")
        node = fleet.manager if who == "manager" else fleet.agents["h1"]
        async with kept_alive(fleet):
            node.arm(point, count)
            fleet.note(f"{who} dies at {point}, time {count}")
            fleet.start_agent("h1")
            if _is_of_files(who, point):
                await _files_and_back(fleet, node)
            else:
                await _one_task(fleet, node)
        await compare_fetched(fleet, fleet.files)
        reasons = {"undeliverable"} if who == "manager" else {"undeliverable", "interrupted"}
        check(fleet, Allowed(reasons=reasons))
        return bool(node.hits)


def _is_of_files(who: str, point: str) -> bool:
    words = ("file", "partial", "progress", "store")
    return who in ("manager", "agent") and any(word in point for word in words)


async def _files_and_back(fleet: Fleet, node: Node) -> None:
    """A task that copies files and fetches others; a manager stores the first before it."""
    await fleet.online("h1")
    dice = random.Random(fleet.seed)
    tree = {**random_tree(dice, fleet.seed), b"large": noise(fleet.seed, 2 * MIB)}
    async with fleet.files.watched():
        copy = await fleet.files.copy_of(tree, "place")
        fetch = await fleet.files.fetch_of({"h1": tree})
        task_id = await fleet.run("h1", copy, fetch, offline=Offline.WAIT)
        await all_ended(fleet, task_id)
    rows = fleet.rows("SELECT status, reason, detail FROM command_hosts WHERE task_id = ?", task_id)
    assert [row["status"] for row in rows] == ["completed"] * 2, [tuple(row) for row in rows]
    node.disarm()


async def _one_task(fleet: Fleet, node: Node) -> None:
    await fleet.online("h1")
    task_id = await fleet.run("h1", command(15, step=0.02), command(5, step=0.01, brings=True))
    await all_ended(fleet, task_id)
    if not node.hits and "resume" in node.point:  # only who comes back hears of what it holds
        # On a busy machine the host may be away for a moment.
        again = await fleet.run("h1", command(60), offline=Offline.WAIT)
        await fleet.wait("it to run", fleet.supervisors)
        fleet.proxy.cut()
        await all_ended(fleet, again)
    node.disarm()
