"""Several managers on one database, with emulated agents that know all of them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figures import INSECURE, Figure
from bench.process_memory import cpu_of
from bench.swarm.swarm import Swarm, swarm
from bench.under_test.fleet import Ran, run
from bench.under_test.manager_process import Manager
from bench.under_test.postgresql import postgresql
from tests.support.managers.nats_server import NatsServer
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

LISTEN_NOTIFY, NATS = "LISTEN/NOTIFY", "NATS"
_LOOK_EVERY = 0.05  # seconds


@dataclass(slots=True)
class System:
    """Managers, a server of PostgreSQL, and agents that are silent until the swarm dials.

    Attributes:
        operators: one of each manager.
        server: the process of PostgreSQL that starts all its others.
        change_feed: how the managers tell each other of changes.
    """

    managers: Sequence[Manager]
    operators: Sequence[Operator]
    swarm: Swarm
    server: int
    change_feed: str

    @property
    def operator(self) -> Operator:
        """Of the last manager, which does not lead at first."""
        return self.operators[-1]

    async def run(self, *commands: str | CommandSpec) -> Ran:
        """Runs a task on all hosts to its end."""
        return await run(self.operator, "@all", *commands)

    async def hosts_of(self) -> list[int]:
        """How many hosts are connected to each manager, which counts them once a second."""
        while True:
            statuses = [await operator.manager_status() for operator in self.operators]
            counts = [status.health.sessions for status in statuses]
            if sum(counts) == self.swarm.count:
                return counts
            await asyncio.sleep(_LOOK_EVERY)

    async def leader(self) -> int:
        """Which of the managers leads, from 0."""
        for number, operator in enumerate(self.operators):
            for gateway in await operator.list_managers():
                if gateway.leads and gateway.address == self.managers[number].address:
                    return number
        raise ProcessLookupError("No manager leads.")

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of all managers, and of the server, until now."""
        managers = sum(cpu_of(manager.running) for manager in self.managers)
        server = psutil.Process(self.server)
        of_server = [server, *server.children(recursive=True)]
        times = [one.cpu_times() for one in of_server]
        ended = times[0].children_user + times[0].children_system
        return managers, sum(each.user + each.system for each in times) + ended

    def figure(
        self,
        key: str,
        what: str,
        value: float,
        unit: str,
        floor: float | None = None,
        floor_of: str = "",
    ) -> Figure:
        """A figure of this system."""
        count = len(self.managers)
        return Figure(
            key=key,
            what=f"{count} {'managers' if count > 1 else 'manager'}, {self.change_feed}: {what}",
            value=value,
            unit=unit,
            agents=self.swarm.count,
            security=INSECURE,
            floor=floor,
            floor_of=floor_of,
            note=str(count),
        )


@asynccontextmanager
async def system(
    managers: int, agents: int, change_feed: str = LISTEN_NOTIFY
) -> AsyncIterator[System]:
    """Starts all of them, until the block is left. The first manager leads."""
    async with AsyncExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        server, url = await stack.enter_async_context(postgresql())
        nats = _nats(folder, stack) if change_feed == NATS else ""
        made = []
        for number in range(managers):
            own = folder / str(number)
            own.mkdir()
            manager = Manager(own, INSECURE, url, change_feed=nats)
            stack.push_async_callback(manager.kill)
            await manager.start()
            made.append(manager)
        addresses = ",".join(manager.address for manager in made)
        started = await stack.enter_async_context(swarm(addresses, agents))
        operators = [await stack.enter_async_context(connect(one.state_dir)) for one in made]
        yield System(made, operators, started, server, change_feed)


def _nats(folder: Path, stack: AsyncExitStack) -> str:
    """Starts a server of NATS; its URL."""
    own = folder / "nats"
    own.mkdir()
    server = NatsServer(own)
    server.start()
    stack.callback(server.stop)
    return f"nats://{server.place}"


async def until_all_are_seen(system: System) -> None:
    """Waits until each manager shows all hosts as connected."""
    while True:
        statuses = [await operator.manager_status() for operator in system.operators]
        if all(status.hosts_online == system.swarm.count for status in statuses):
            return
        await asyncio.sleep(_LOOK_EVERY)
