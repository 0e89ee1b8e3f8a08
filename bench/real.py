"""A manager with real agents, which start real processes, on this machine."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.served import Manager
from tui_manager.cli.fleet import Fleet as Agents
from tui_manager.operator.api import Operator
from tui_manager.operator.client import connect

_ONLINE_WITHIN = 120.0  # seconds
_LOOK_EVERY = 0.1  # seconds


@dataclass(slots=True)
class RealFleet:
    """All agents are online."""

    manager: Manager
    agents: Agents
    operator: Operator

    @property
    def pids(self) -> list[int]:
        """Of the agents."""
        return [agent.process.pid for agent in self.agents.agents]


@asynccontextmanager
async def real_fleet(count: int) -> AsyncIterator[RealFleet]:
    """As many agents, named h000 and on, until the block is left; their processes end with it."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        manager = Manager(Path(folder))
        await manager.start()
        agents = Agents(Path(folder), manager.address)
        try:
            agents.start((f"h{number:03d}", "bench") for number in range(count))
            async with connect(manager.state_dir) as operator:
                await online(operator, agents)
                yield RealFleet(manager, agents, operator)
        finally:
            await asyncio.to_thread(agents.stop)
            await manager.kill()


async def online(operator: Operator, agents: Agents) -> None:
    """Waits until all of them are. Raises ManagerError when one of them ends, TimeoutError."""
    async with asyncio.timeout(_ONLINE_WITHIN):
        while True:
            agents.check_alive()
            if (await operator.manager_status()).hosts_online == len(agents.agents):
                return
            await asyncio.sleep(_LOOK_EVERY)
