"""The faults that a campaign draws from if its fleets have several managers."""

import asyncio
import contextlib
import random
import signal

import psutil

from tests.faults.fleet.fleet import Fleet
from tests.faults.long_run.faults import SEVERAL, fault

LISTENING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'
"""
_LONGER_THAN_LEASE = (8.0, 13.0)  # seconds


@fault("leader killed", needs=SEVERAL)
async def _kill_leader(fleet: Fleet, dice: random.Random) -> bool:
    node = fleet.leader().node
    if not node.alive:
        return False
    fleet.note(f"SIGKILL {node.name}, which leads")
    node.send(signal.SIGKILL)
    return True


@fault("leader stopped for longer than its lease", needs=SEVERAL)
async def _stop_leader(fleet: Fleet, dice: random.Random) -> bool:
    node, seconds = fleet.leader().node, dice.uniform(*_LONGER_THAN_LEASE)
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(node.pid)
        fleet.note(f"SIGSTOP {node.name}, which leads, for {seconds:.1f} s")
        process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            process.resume()
        return True
    return False


@fault("a gateway cut off from its agents for seconds", needs=SEVERAL)
async def _without_agents(fleet: Fleet, dice: random.Random) -> bool:
    manager, seconds = dice.choice(fleet.managers), dice.uniform(0.5, 5)
    silently = dice.random() < 0.5
    fleet.note(f"agents do not reach {manager.node.name} for {seconds:.1f} s, {silently=}")
    if silently:
        manager.proxy.swallow()
    else:
        manager.proxy.refuses = True
        manager.proxy.cut()
    await asyncio.sleep(seconds)
    manager.proxy.refuses = False
    manager.proxy.pass_on()
    return True


@fault("a gateway cut off from the database for seconds", needs=SEVERAL)
async def _without_database(fleet: Fleet, dice: random.Random) -> bool:
    manager, seconds = dice.choice(fleet.managers), dice.uniform(0.5, 14)
    silently = dice.random() < 0.5
    fleet.note(f"{manager.node.name} has no database for {seconds:.1f} s, {silently=}")
    manager.cut_off_from_database(silently=silently)
    await asyncio.sleep(seconds)
    manager.let_to_database()
    return True


@fault("connections for notifications ended", needs=SEVERAL)
async def _end_listening(fleet: Fleet, dice: random.Random) -> bool:
    found = fleet.rows(LISTENING)
    fleet.note(f"{len(found)} connections that listen are ended")
    for row in found:
        fleet.rows("SELECT pg_terminate_backend(?::int)", row["pid"])
    return bool(found)


@fault("agents thrown from one gateway to the next", needs=SEVERAL)
async def _throw(fleet: Fleet, dice: random.Random) -> bool:
    for _ in range(dice.randint(2, 6)):
        there = dice.choice(fleet.managers)
        fleet.note(f"agents reach only {there.node.name}")
        for manager in fleet.managers:
            manager.proxy.refuses = manager is not there
            if manager is not there:
                manager.proxy.cut()
        await asyncio.sleep(dice.uniform(0, 1))
    for manager in fleet.managers:
        manager.proxy.refuses = False
    return True
