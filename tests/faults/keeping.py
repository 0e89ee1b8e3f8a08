"""Plays the service manager: whoever ends is started again; and the operator who resumes tasks."""

import asyncio
import contextlib
import math
import random
import signal
from collections.abc import AsyncIterator

from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.node import Node

_MAY_EXIT_WITH = (0, -signal.SIGKILL, -signal.SIGTERM)  # SIGTERM: before it could listen to it


@contextlib.asynccontextmanager
async def kept_alive(fleet: Fleet, dice: random.Random | None = None) -> AsyncIterator[None]:
    """Starts again whoever ends, at once or as the dice say, until the block is left."""

    async def keep(node: Node) -> None:
        await fleet.wait(f"{node.name} to begin", lambda: node.process, seconds=math.inf)
        while True:
            code = await fleet.ended(node, for_ever=True)
            if code not in _MAY_EXIT_WITH:
                raise AssertionError(f"{node.name} ended with {code}.\n{fleet.explain()}")
            await asyncio.sleep(dice.choice((0, 0, dice.uniform(0, 1))) if dice else 0)
            if node in managers:
                await fleet.start_manager(node)
            else:
                fleet.start_agent(node.name)

    managers = [manager.node for manager in fleet.managers]
    keeping = [asyncio.create_task(keep(node)) for node in fleet.nodes]
    try:
        yield
    finally:
        for task in keeping:
            task.cancel()
        outcomes = await asyncio.gather(*keeping, return_exceptions=True)
        broken = [error for error in outcomes if isinstance(error, Exception)]
        if broken:
            raise broken[0]


_WAITING = """
SELECT t.id FROM tasks AS t LEFT JOIN rollouts AS r ON r.task_id = t.id
WHERE t.status = 'running' AND (t.paused_at IS NOT NULL OR r.held_until IS NOT NULL)
"""
_LONGEST_WAIT = 2.0  # seconds


@contextlib.asynccontextmanager
async def resumed(fleet: Fleet, dice: random.Random) -> AsyncIterator[None]:
    """Resumes tasks that are paused or held, after a while as the dice say, until the block is
    left."""

    async def resume() -> None:
        while True:
            found = await fleet.wait("a pause", lambda: fleet.rows(_WAITING), seconds=math.inf)
            await asyncio.sleep(dice.uniform(0, _LONGEST_WAIT))
            await fleet.resume(dice.choice(found)[0])

    resuming = asyncio.create_task(resume())
    try:
        yield
    finally:
        resuming.cancel()
        (outcome,) = await asyncio.gather(resuming, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome
