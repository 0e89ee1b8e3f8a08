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

from tests.faults.fleet import Fleet
from tests.faults.fleet_database import (
    POSTGRESQL,
    PostgresqlOfFleet,
    chosen_database,
    start_server,
)
from tests.faults.node import Node

_Inject = Callable[[Fleet, random.Random], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        inject: does it; False when there was nothing to do it to, or when it will be done later.
        reasons: failures that it may truly lead to.
    """

    name: str
    inject: _Inject
    reasons: frozenset[str] = frozenset()


FAULTS: dict[str, Fault] = {}
_INTERRUPTED = frozenset({"interrupted"})


def _fault(
    name: str, reasons: frozenset[str] = frozenset(), needs: str = ""
) -> Callable[[_Inject], _Inject]:
    """A fault that campaigns draw from.

    Args:
        needs: the database that it is about.
    """

    def register(inject: _Inject) -> _Inject:
        if needs in ("", chosen_database()):
            FAULTS[name] = Fault(name, inject, reasons)
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


async def _end(fleet: Fleet, *nodes: Node) -> bool:
    processes = [node.process for node in nodes if node.process is not None]
    for node in nodes:
        fleet.note(f"SIGTERM {node.name}")
        node.send(signal.SIGTERM)
    await fleet.wait(
        "SIGTERM to be heard",
        lambda: [process.poll() for process in processes],
        lambda codes: None not in codes,
    )
    return True


@_fault("manager killed")
async def _kill_manager(fleet: Fleet, dice: random.Random) -> bool:
    return _kill(fleet, fleet.manager)


# An agent that dies between handing an order over and the supervisor's claim: it never runs.
@_fault("agent killed", _INTERRUPTED)
async def _kill_agent(fleet: Fleet, dice: random.Random) -> bool:
    return _kill(fleet, _agent(fleet, dice))


@_fault("manager and agents killed", _INTERRUPTED)
async def _kill_all(fleet: Fleet, dice: random.Random) -> bool:
    return _kill(fleet, fleet.manager, *fleet.agents.values())


@_fault("manager ended with SIGTERM")
async def _end_manager(fleet: Fleet, dice: random.Random) -> bool:
    return await _end(fleet, fleet.manager)


@_fault("agent ended with SIGTERM")
async def _end_agent(fleet: Fleet, dice: random.Random) -> bool:
    return await _end(fleet, _agent(fleet, dice))


@_fault("manager and agents ended with SIGTERM")
async def _end_all(fleet: Fleet, dice: random.Random) -> bool:
    return await _end(fleet, fleet.manager, *fleet.agents.values())


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


@_fault("manager stopped for seconds")
async def _stop_manager(fleet: Fleet, dice: random.Random) -> bool:
    return await _freeze(fleet, dice, "manager", fleet.manager.pid)


@_fault("agent stopped for seconds")
async def _stop_agent(fleet: Fleet, dice: random.Random) -> bool:
    agent = _agent(fleet, dice)
    return await _freeze(fleet, dice, agent.name, agent.pid)


@_fault("supervisor stopped for seconds")
async def _stop_supervisor(fleet: Fleet, dice: random.Random) -> bool:
    found = fleet.supervisors()
    return bool(found) and await _freeze(fleet, dice, "a supervisor", dice.choice(found).pid)


@_fault("supervisor killed", _INTERRUPTED)
async def _kill_supervisor(fleet: Fleet, dice: random.Random) -> bool:
    return _killed(fleet, dice, "a supervisor", fleet.supervisors())


@_fault("fork server killed", _INTERRUPTED)
async def _kill_fork_server(fleet: Fleet, dice: random.Random) -> bool:
    return _killed(fleet, dice, "a fork server", fleet.fork_servers())


@_fault("fork server stopped for seconds")
async def _stop_fork_server(fleet: Fleet, dice: random.Random) -> bool:
    found = fleet.fork_servers()
    return bool(found) and await _freeze(fleet, dice, "a fork server", dice.choice(found).pid)


@_fault("connections delayed")
async def _delay(fleet: Fleet, dice: random.Random) -> bool:
    fleet.proxy.delay = dice.uniform(0.02, 0.4)
    fleet.note(f"every piece is delayed by {fleet.proxy.delay:.2f} s")
    await asyncio.sleep(dice.uniform(0.5, 2))
    fleet.proxy.delay = 0
    return True


@_fault("connections cut")
async def _cut(fleet: Fleet, dice: random.Random) -> bool:
    for _ in range(dice.randint(1, 4)):
        fleet.note(f"{fleet.proxy.cut()} connections cut")
        await asyncio.sleep(dice.uniform(0, 0.4))
    return True


@_fault("connections half closed")
async def _half_close(fleet: Fleet, dice: random.Random) -> bool:
    count = fleet.proxy.half_close()
    fleet.note(f"{count} connections half closed")
    return bool(count)


@_fault("connections stay open and deliver nothing")
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


@_fault("task canceled")
async def _cancel(fleet: Fleet, dice: random.Random) -> bool:
    running = _running(fleet)
    return bool(running) and await fleet.cancel_if_running(dice.choice(running))


@_fault("task paused and resumed")
async def _pause(fleet: Fleet, dice: random.Random) -> bool:
    """The campaign's operator resumes it."""
    running = _running(fleet)
    return bool(running) and await fleet.pause(dice.choice(running))


def _postgresql(fleet: Fleet) -> PostgresqlOfFleet:
    assert isinstance(fleet.database, PostgresqlOfFleet)
    return fleet.database


async def _server_away(fleet: Fleet, dice: random.Random, how: signal.Signals) -> bool:
    server, seconds = _postgresql(fleet).server, dice.uniform(0, 3)
    fleet.note(f"{how.name} to PostgreSQL, which is away for {seconds:.1f} s")
    server.stop(how)
    try:
        await asyncio.sleep(seconds)
    finally:
        start_server(server)
    return True


@_fault("database server killed", needs=POSTGRESQL)
async def _kill_server(fleet: Fleet, dice: random.Random) -> bool:
    return await _server_away(fleet, dice, signal.SIGQUIT)


@_fault("database server restarted in order", needs=POSTGRESQL)
async def _restart_server(fleet: Fleet, dice: random.Random) -> bool:
    return await _server_away(fleet, dice, signal.SIGINT)


@_fault("connections to the database server ended", needs=POSTGRESQL)
async def _end_connections(fleet: Fleet, dice: random.Random) -> bool:
    for _ in range(dice.randint(1, 5)):
        fleet.note("the manager's connections to PostgreSQL are ended")
        ended = _postgresql(fleet).end_connections()
        await asyncio.sleep(dice.uniform(0, 0.1))
    return bool(ended)


@_fault("database read-only", needs=POSTGRESQL)
async def _read_only(fleet: Fleet, dice: random.Random) -> bool:
    seconds = dice.uniform(0.2, 3)
    fleet.note(f"the database is read-only for {seconds:.1f} s")
    _postgresql(fleet).set_read_only(on=True)
    try:
        await asyncio.sleep(seconds)
    finally:
        _postgresql(fleet).set_read_only(on=False)
    return True


@_fault("database locked by another process")
async def _lock(fleet: Fleet, dice: random.Random) -> bool:
    seconds = dice.uniform(0.5, 3)
    fleet.note(f"the database is locked for {seconds:.1f} s")
    with fleet.database.locked() as locked:
        if locked:
            await asyncio.sleep(seconds)
    return locked


MANAGER_POINTS = {
    "statement": 120,  # how often a run reaches it, about
    "before.commit": 30,
    "after.commit": 30,
    "before.hand_over": 4,
    "after.hand_over": 4,
    "before.send_welcome": 1,
    "after.send_welcome": 1,
    "before.send_resume": 2,
    "after.send_resume": 2,
    "before.send_run_command": 4,
    "after.send_run_command": 4,
    "before.send_cancel_command": 1,
    "before.take_report": 30,
    "after.take_report": 30,
    "before.acknowledge": 20,
    "after.acknowledge": 20,
    "before.send_acknowledge": 20,
    "after.send_acknowledge": 20,
}
AGENT_POINTS = {
    **{
        f"{side}.{name}": 2
        for name in ("accept", "write_content", "mark_starting", "start_supervisor")
        for side in ("before", "after")
    },
    **{
        f"{side}.{name}": 2
        for name in ("append", "remove", "handle_run_command")
        for side in ("before", "after")
    },
    **{
        f"{side}.{name}": 10
        for name in ("send_report", "handle_acknowledge")
        for side in ("before", "after")
    },
    "before.handle_resume": 1,
    "after.handle_resume": 1,
    "before.handle_cancel_command": 1,
    "after.handle_cancel_command": 1,
    "before.request_cancel": 1,
    "after.request_cancel": 1,
}
SUPERVISOR_POINTS = {
    **{
        f"{side}.{name}": 1
        for name in (
            *("take", "arguments", "open_stdin", "shell", "note_start"),
            *("reap", "finish", "end", "remove_files"),
        )
        for side in ("before", "after")
    },
    "before.move_output": 8,
    "after.move_output": 8,
}


FORK_SERVER_POINTS = {
    f"{side}.{name}": 2 for name in ("fork", "tell") for side in ("before", "after")
}


def _arm(fleet: Fleet, dice: random.Random, node: Node, points: dict[str, int]) -> bool:
    point = dice.choice(list(points))
    count = dice.randint(1, points[point])
    fleet.note(f"{node.name} dies at {point}, time {count}")
    node.arm(point, count)
    return False  # whether it is reached is counted at the end


@_fault("manager killed at a failpoint")
async def _point_manager(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, fleet.manager, MANAGER_POINTS)


@_fault("agent killed at a failpoint", _INTERRUPTED)
async def _point_agent(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _agent(fleet, dice), AGENT_POINTS)


@_fault("supervisor killed at a failpoint", _INTERRUPTED)
async def _point_supervisor(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _agent(fleet, dice), SUPERVISOR_POINTS)


@_fault("fork server killed at a failpoint", _INTERRUPTED)
async def _point_fork_server(fleet: Fleet, dice: random.Random) -> bool:
    return _arm(fleet, dice, _agent(fleet, dice), FORK_SERVER_POINTS)
