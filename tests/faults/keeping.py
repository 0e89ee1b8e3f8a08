"""Plays the service manager: whoever ends is started again."""

import asyncio
import contextlib
import math
import random
import signal
from collections.abc import AsyncIterator

from tests.faults.fleet import Fleet
from tests.faults.node import Node

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
            if node is fleet.manager:
                await fleet.start_manager()
            else:
                fleet.start_agent(node.name)

    nodes = (fleet.manager, *fleet.agents.values())
    keeping = [asyncio.create_task(keep(node)) for node in nodes]
    try:
        yield
    finally:
        for task in keeping:
            task.cancel()
        outcomes = await asyncio.gather(*keeping, return_exceptions=True)
        broken = [error for error in outcomes if isinstance(error, Exception)]
        if broken:
            raise broken[0]
