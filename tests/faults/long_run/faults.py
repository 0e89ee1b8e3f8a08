"""The faults that a campaign draws from. Each is done to a fleet while commands run.

Whoever is killed is started again by the campaign's keeper, and what is paused is resumed by its
operator; everything else is undone here.
"""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil

from tests.faults.failpoints import (
    AGENT_POINTS,
    FORK_SERVER_POINTS,
    MANAGER_POINTS,
    SUPERVISOR_POINTS,
)
from tests.faults.fleet.fleet import Fleet, chosen_managers
from tests.faults.fleet.fleet_database import (
    POSTGRESQL,
    PostgresqlOfFleet,
    chosen_database,
    start_server,
)
from tests.faults.fleet.node import Node

_Inject = Callable[[Fleet, random.Random], Awaitable[bool]]


SEVERAL = "several managers"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        needs: the database that it is about, or SEVERAL.
        inject: does it; False when there was nothing to do it to, or when it will be done later.
        reasons: failures that it may truly lead to.
    """

    name: str
    inject: _Inject
    reasons: frozenset[str] = frozenset()
    needs: str = ""

    @property
    def fits(self) -> bool:
        """Whether the fleets of this process have what it needs."""
        if self.needs == SEVERAL:
            return chosen_managers() > 1
        return self.needs in ("", chosen_database())


FAULTS: dict[str, Fault] = {}
_INTERRUPTED = frozenset({"interrupted"})


def fault(
    name: str, reasons: frozenset[str] = frozenset(), needs: str = ""
) -> Callable[[_Inject], _Inject]:
    """A fault that campaigns draw from, if their fleets have what it `needs`."""

    def register(inject: _Inject) -> _Inject:
        FAULTS[name] = Fault(name, inject, reasons, needs)
        return inject

    return register


def _agent(fleet: Fleet, dice: random.Random) -> Node:
    return fleet.agents[dice.choice(list(fleet.agents))]


def _kill(fleet: Fleet, *nodes: Node) -> bool:
    alive = [node for node in nodes if node.alive]
    for node in alive:
        fleet.note(f"SIGKILL {node.name}")
        node.send(signal.SIGKILL)
    return bool(alive)


def _manager(fleet: Fleet, dice: random.Random) -> Node:
    return dice.choice(fleet.managers).node


async def _end(fleet: Fleet, *nodes: Node) -> bool:
    processes = [node.process for node in nodes if node.process is not None]
    for node in nodes:
        fleet.note(f"SIGTERM {node.name}")
        fleet.database.release()
        node.send(signal.SIGTERM)
    await fleet.wait(
        "SIGTERM to be heard",
        lambda: [process.poll() for process in processes],
        lambda codes: None not in codes,
    )
    return True


@fault("manager killed")
async def _kill_manager(fleet: Fleet, dice: random.Random) -> bool:
    return _kill(fleet, _manager(fleet, dice))


# An agent that dies between handing an order over and the supervisor's claim: it never runs.
@fault("agent killed", _INTERRUPTED)
async def _kill_agent(fleet: Fleet, dice: random.Random) -> bool:
    return _kill(fleet, _agent(fleet, dice))


@fault("manager and agents killed", _INTERRUPTED)
async def _kill_all(fleet: Fleet, dice: random.Random) -> bool:
    return _kill(fleet, *fleet.nodes)


@fault("manager ended with SIGTERM")
async def _end_manager(fleet: Fleet, dice: random.Random) -> bool:
    return await _end(fleet, _manager(fleet, dice))


@fault("agent ended with SIGTERM")
async def _end_agent(fleet: Fleet, dice: random.Random) -> bool:
    return await _end(fleet, _agent(fleet, dice))


@fault("manager and agents ended with SIGTERM")
async def _end_all(fleet: Fleet, dice: random.Random) -> bool:
    return await _end(fleet, *fleet.nodes)


async def _freeze(fleet: Fleet, dice: random.Random, name: str, pid: int) -> bool:
    seconds = dice.uniform(0.5, 2.5)
    fleet.note(f"SIGSTOP {name} for {seconds:.1f} s")
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            process.resume()
        return True
    return False


def _killed(fleet: Fleet, dice: random.Random, name: str, found: list[psutil.Process]) -> bool:
    with contextlib.suppress(psutil.Error):
        if found:
            fleet.note(f"SIGKILL of {name}")
            dice.choice(found).kill()
            return True
    return False


@fault("manager stopped for seconds")
async def _stop_manager(fleet: Fleet, dice: random.Random) -> bool:
    node = _manager(fleet, dice)
    return await _freeze(fleet, dice, node.name, node.pid)


@fault("agent stopped for seconds")
async def _stop_agent(fleet: Fleet, dice: random.Random) -> bool:
    agent = _agent(fleet, dice)
    return await _freeze(fleet, dice, agent.name, agent.pid)


@fault("supervisor stopped for seconds")
async def _stop_supervisor(fleet: Fleet, dice: random.Random) -> bool:
    found = fleet.supervisors()
    return bool(found) and await _freeze(fleet, dice, "a supervisor", dice.choice(found).pid)


@fault("supervisor killed", _INTERRUPTED)
async def _kill_supervisor(fleet: Fleet, dice: random.Random) -> bool:
    return _killed(fleet, dice, "a supervisor", fleet.supervisors())


@fault("fork server killed", _INTERRUPTED)
async def _kill_fork_server(fleet: Fleet, dice: random.Random) -> bool:
    return _killed(fleet, dice, "a fork server", fleet.fork_servers())


@fault("fork server stopped for seconds")
async def _stop_fork_server(fleet: Fleet, dice: random.Random) -> bool:
    found = fleet.fork_servers()
    return bool(found) and await _freeze(fleet, dice, "a fork server", dice.choice(found).pid)


@fault("connections delayed")
async def _delay(fleet: Fleet, dice: random.Random) -> bool:
    seconds = dice.uniform(0.02, 0.4)
    fleet.note(f"every piece is delayed by {seconds:.2f} s")
    with fleet.proxy.delayed(seconds):
        await asyncio.sleep(dice.uniform(0.5, 2))
    return True


@fault("connections cut")
async def _cut(fleet: Fleet, dice: random.Random) -> bool:
    for _ in range(dice.randint(1, 4)):
        fleet.note(f"{fleet.proxy.cut()} connections cut")
        await asyncio.sleep(dice.uniform(0, 0.4))
    return True


@fault("connections half closed")
async def _half_close(fleet: Fleet, dice: random.Random) -> bool:
    count = fleet.proxy.half_close()
    fleet.note(f"{count} connections half closed")
    return bool(count)


@fault("connections stay open and deliver nothing")
async def _swallow(fleet: Fleet, dice: random.Random) -> bool:
    seconds = dice.uniform(0.5, 3)
    fleet.note(f"nothing passes for {seconds:.1f} s")
    fleet.proxy.swallow()
    await asyncio.sleep(seconds)
    if dice.random() < 0.5:
        fleet.proxy.cut()
    fleet.proxy.pass_on()
    return True


def _running(fleet: Fleet) -> list[int]:
    return [row[0] for row in fleet.rows("SELECT id FROM tasks WHERE status = 'running'")]


@fault("task canceled")
async def _cancel(fleet: Fleet, dice: random.Random) -> bool:
    running = _running(fleet)
    return bool(running) and await fleet.cancel_if_running(dice.choice(running))


@fault("task paused and resumed")
async def _pause(fleet: Fleet, dice: random.Random) -> bool:
    """The campaign's operator resumes it."""
    running = _running(fleet)
    return bool(running) and await fleet.pause(dice.choice(running))


def _postgresql(fleet: Fleet) -> PostgresqlOfFleet:
    assert isinstance(fleet.database, PostgresqlOfFleet)
    return fleet.database


async def _server_away(fleet: Fleet, dice: random.Random, how: signal.Signals) -> bool:
    database, seconds = _postgresql(fleet), dice.uniform(0, 3)
    fleet.note(f"{how.name} to PostgreSQL, which is away for {seconds:.1f} s")
    database.there.clear()
    database.server.stop(how)
    try:
        await asyncio.sleep(seconds)
    finally:
        start_server(database.server)
        database.there.set()
    return True


@fault("database server killed", needs=POSTGRESQL)
async def _kill_server(fleet: Fleet, dice: random.Random) -> bool:
    return await _server_away(fleet, dice, signal.SIGQUIT)


@fault("database server restarted in order", needs=POSTGRESQL)
async def _restart_server(fleet: Fleet, dice: random.Random) -> bool:
    return await _server_away(fleet, dice, signal.SIGINT)


@fault("connections to the database server ended", needs=POSTGRESQL)
async def _end_connections(fleet: Fleet, dice: random.Random) -> bool:
    for _ in range(dice.randint(1, 5)):
        fleet.note("the manager's connections to PostgreSQL are ended")
        ended = _postgresql(fleet).end_connections()
        await asyncio.sleep(dice.uniform(0, 0.1))
    return bool(ended)


@fault("database read-only", needs=POSTGRESQL)
async def _read_only(fleet: Fleet, dice: random.Random) -> bool:
    seconds = dice.uniform(0.2, 3)
    fleet.note(f"the database is read-only for {seconds:.1f} s")
    _postgresql(fleet).set_read_only(on=True)
    try:
        await asyncio.sleep(seconds)
    finally:
        _postgresql(fleet).set_read_only(on=False)
    return True


@fault("database locked by another process")
async def _lock(fleet: Fleet, dice: random.Random) -> bool:
    seconds = dice.uniform(0.5, 3)
    fleet.note(f"the database is locked for {seconds:.1f} s")
    with fleet.database.locked() as locked:
        if locked:
            await asyncio.sleep(seconds)
    return locked


def _arm(fleet: Fleet, dice: random.Random, node: Node, points: dict[str, int]) -> bool:
    point = dice.choice(list(points))
    count = dice.randint(1, points[point])
    fleet.note(f"{node.name} dies at {point}, time {count}")
    node.arm(point, count)
    return False  # whether it is reached is counted at the end


@fault("manager killed at a failpoint")
async def _point_manager(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _manager(fleet, dice), MANAGER_POINTS)


@fault("agent killed at a failpoint", _INTERRUPTED)
async def _point_agent(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _agent(fleet, dice), AGENT_POINTS)


@fault("supervisor killed at a failpoint", _INTERRUPTED)
async def _point_supervisor(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _agent(fleet, dice), SUPERVISOR_POINTS)


@fault("fork server killed at a failpoint", _INTERRUPTED)
async def _point_fork_server(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _agent(fleet, dice), FORK_SERVER_POINTS)
