"""A manager with real agents, which start real processes, on this machine."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import MTLS
from bench.under_test.manager_process import Manager
from tui_manager.cli.commands.demo_agents import DemoAgents as Agents
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.status import Admission
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

_ONLINE_WITHIN = 120.0  # seconds, and so many more for each agent:
_SECONDS_EACH = 2.0
_LOOK_EVERY = 0.1  # seconds
OWN_FOLDER = "/proc/self/cwd/"  # in a copy, this leads each agent to a folder of its own


@dataclass(slots=True)
class RealFleet:
    """All agents are online, each works in a folder of its own."""

    manager: Manager
    agents: Agents
    operator: Operator
    work_folders: Sequence[Path]

    @property
    def pids(self) -> list[int]:
        """Of the agents."""
        return [agent.process.pid for agent in self.agents.agents]


@asynccontextmanager
async def real_fleet(count: int) -> AsyncIterator[RealFleet]:
    """As many agents over mTLS, h000 and on, until the block is left; all that they run ends. Each
    works in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        manager = Manager(Path(folder), MTLS)
        await manager.start()
        agents = Agents(Path(folder), manager.address)
        try:
            async with connect(manager.state_dir) as operator:
                names = [f"h{number:03d}" for number in range(count)]
                work = Path(folder) / "work"
                await join(operator, agents, names, work)
                folders = [work / name for name in names]
                yield RealFleet(manager, agents, operator, folders)
        finally:
            await asyncio.to_thread(agents.stop)
            await manager.kill()


async def join(
    operator: Operator, agents: Agents, names: Sequence[str], work: Path | None = None
) -> None:
    """Starts agents that join with a token, and waits until they are online.

    Args:
        work: in which each agent has the folder that it works in; None: they work in that of this
            process.

    Raises:
        ManagerError: one of them has ended.
        TimeoutError: some are not online in time.
    """
    token = await operator.create_token(TokenSpec(uses=len(names), auto_approve=True))
    # They are all on one machine, which a manager finds odd.
    for name in names:
        own = Path.cwd() if work is None else work / name
        own.mkdir(parents=True, exist_ok=True)
        with contextlib.chdir(own):
            agents.start([(name, "bench")], token.text)
    async with asyncio.timeout(_ONLINE_WITHIN + _SECONDS_EACH * len(names)):
        while True:
            agents.check_alive()
            status = await operator.manager_status()
            if status.hosts_pending:
                hosts = (await operator.list_hosts(Window(limit=LIMIT_MAX))).rows
                waiting = [h.host_id for h in hosts if h.admission is Admission.PENDING]
                await operator.approve_hosts(waiting)
            elif status.hosts_online == len(agents.agents):
                return
            await asyncio.sleep(_LOOK_EVERY)
