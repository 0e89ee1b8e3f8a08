"""A manager, its emulated agents and an operator: what most benchmarks measure."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import INSECURE, Figure
from bench.swarm.enrolled_hosts import enroll
from bench.swarm.host_names import host_name
from bench.swarm.swarm import Swarm, swarm
from bench.under_test.manager_process import Manager
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

CONNECT_WITHIN = 300.0  # seconds
_LOOK_EVERY = 0.025  # seconds; a look costs manager and bench a millisecond each
_GIVE_UP = 600.0  # seconds


class WrongOutcomeError(Exception):
    """A benchmark's task did not end as it must: its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A task that ran to its end.

    Attributes:
        seconds: from the call that starts it until an operator is told that it has ended, which is
            when every result is committed.
    """

    task: Task
    seconds: float


@dataclass(slots=True)
class Fleet:
    """All agents are silent until the swarm dials."""

    manager: Manager
    swarm: Swarm
    operator: Operator
    security: str

    @property
    def agents(self) -> int:
        """How many there are."""
        return self.swarm.count

    async def run(self, *commands: str | CommandSpec, target: str = "@all") -> Ran:
        """See `run`."""
        return await run(self.operator, target, *commands)

    def figure(
        self,
        key: str,
        what: str,
        value: float,
        unit: str,
        floor: float | None = None,
        floor_of: str = "",
    ) -> Figure:
        """A figure of this fleet."""
        return Figure(
            key=key,
            what=what,
            value=value,
            unit=unit,
            agents=self.agents,
            security=self.security,
            floor=floor,
            floor_of=floor_of,
        )


async def run(operator: Operator, target: str, *commands: str | CommandSpec) -> Ran:
    """Runs a task to its end. Raises WrongOutcomeError when not all of it completed."""
    steps = (CommandSpec(one) if isinstance(one, str) else one for one in commands)
    spec = TaskSpec(target, tuple(steps), created_by="bench")
    task_id = await operator.create_task(spec)
    began = time.monotonic()
    await operator.start_task(task_id)
    async with asyncio.timeout(_GIVE_UP):
        await wait_until_ended(operator, task_id)
    seconds = time.monotonic() - began
    task = (await operator.get_task(task_id)).task
    if task.status is not TaskStatus.COMPLETED:
        raise WrongOutcomeError(f"Task {task_id} on {target} is {task.status}: {task.counts}")
    return Ran(task, seconds)


async def wait_until_ended(operator: Operator, task_id: int) -> None:
    """Waits until a task has ended, however."""
    while True:  # watching would tell of it up to a tenth of a second later
        if (await operator.get_task_status(task_id)).ended:
            return
        await asyncio.sleep(_LOOK_EVERY)


async def enrolled_for(security: str, state_dir: Path, agents: int) -> Path | None:
    """Enrols emulated hosts with a manager that has not started; None where there is no TLS.

    Returns:
        The file of their credentials.
    """
    if security == INSECURE:
        return None
    file = state_dir.with_name("credentials")
    await asyncio.to_thread(enroll, state_dir, [host_name(n) for n in range(agents)], file)
    return file


@asynccontextmanager
async def fleet(
    agents: int, security: str, *, traced: bool = False, database: str = ""
) -> AsyncIterator[Fleet]:
    """A manager in a folder of its own, and as many agents, until the block is left.

    Args:
        database: of PostgreSQL; empty: a file of SQLite.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        manager = Manager(Path(folder), security, database)
        credentials = await enrolled_for(security, manager.state_dir, agents)
        await manager.start()
        try:
            async with (
                swarm(manager.address, agents, credentials, traced=traced) as started,
                connect(manager.state_dir) as operator,
            ):
                yield Fleet(manager, started, operator, security)
        finally:
            await manager.kill()
