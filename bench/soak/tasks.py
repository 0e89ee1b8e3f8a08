"""Constant work: tasks of every kind, some cancelled, watched by nobody."""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from bench.swarm.emulated_command import some_work
from tui_manager.domain.errors import IllegalMoveError, ManagerError, UnreachableError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

T = TypeVar("T")
_RUNNING_MAX = 30  # tasks at once
_PAUSE = 0.3  # seconds between two tasks, about
_CALL = 20.0  # seconds until a call to a manager that is being killed is given up


@dataclass(slots=True)
class Started:
    """What was asked of the manager."""

    tasks: int = 0
    cancels: int = 0
    unreachable: int = 0


async def keep_busy(state_dir: Path, agents: int, chance: random.Random, started: Started) -> None:
    """Starts tasks until it is cancelled, whatever becomes of the manager."""
    while True:
        try:
            async with connect(state_dir) as operator:
                while True:
                    await _one(operator, agents, chance, started)
                    await asyncio.sleep(chance.uniform(0, 2 * _PAUSE))
        except (UnreachableError, TimeoutError):
            started.unreachable += 1
            await asyncio.sleep(0.5)
        except ManagerError as error:  # a task that a restart came between
            started.unreachable += isinstance(error, IllegalMoveError)
            await asyncio.sleep(0.1)


async def _soon(call: Awaitable[T]) -> T:
    async with asyncio.timeout(_CALL):
        return await call


async def _one(operator: Operator, agents: int, chance: random.Random, started: Started) -> None:
    if (await _soon(operator.manager_status())).tasks_running >= _RUNNING_MAX:
        return
    task_id = await _soon(operator.create_task(_spec(agents, chance)))
    await _soon(operator.start_task(task_id))
    started.tasks += 1
    if chance.random() < 0.1:
        await asyncio.sleep(chance.uniform(0, 0.5))
        started.cancels += 1
        try:
            await _soon(operator.cancel_task(task_id))
        except IllegalMoveError:
            return  # it has ended


def _spec(agents: int, chance: random.Random) -> TaskSpec:
    first = chance.randrange(agents)
    last = min(agents - 1, first + chance.choice([0, 3, 20, agents]))
    commands = tuple(
        CommandSpec(some_work(chance).text) for _ in range(chance.choice([1, 1, 1, 3]))
    )
    return TaskSpec(
        target=f"h[{first:03d}-{last:03d}]",
        commands=commands,
        offline=chance.choice(tuple(Offline)),
        delivery_timeout=timedelta(seconds=60),
    )


async def until_ended(state_dir: Path, seconds: float) -> int:
    """Waits until no task runs, and returns how many still do after `seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    async with connect(state_dir) as operator:
        while running := (await _soon(operator.manager_status())).tasks_running:
            if loop.time() > deadline:
                break
            await asyncio.sleep(0.5)
        return running


async def wait_for_hosts(state_dir: Path, count: int) -> None:
    """Waits until so many hosts are known."""
    async with asyncio.timeout(120), connect(state_dir) as operator:
        async for _ in operator.watch():
            if (await operator.list_hosts(Window(limit=1))).total >= count:
                return
