"""A manager with TLS in this process, and what tests ask it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream
from tests.support.agents.secure_agent import SecureHost, enroll
from tests.support.waiting import wait_until
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.service.core.clock import Clock
from tui_manager.settings import Settings
from tui_manager.transport.ports.port_limits import Timeouts


@dataclass
class MovedClock:
    """This machine's time, and so much more. TLS itself goes by this machine's."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class SecureManager:
    """What runs, and whom it knows."""

    running: RunningManager
    state_dir: Path
    moved: MovedClock

    @property
    def address(self) -> str:
        """Of the command port."""
        return self.running.address

    async def token(self, **spec: Any) -> str:
        """The text of a join token."""
        return (await self.running.operator.create_token(TokenSpec(**spec))).text

    async def host(self, name: str, *, approved: bool = True) -> SecureHost:
        """A host that has just enrolled with a token of its own."""
        return await enroll(self.running, await self.token(auto_approve=approved), name)

    async def hosts(self) -> list[Host]:
        """All hosts, by name."""
        return list((await self.running.operator.list_hosts(Window())).rows)

    async def audit(self, action: str) -> list[AuditEntry]:
        """The rows of one action, once there is one."""

        async def renew_if_due() -> list[AuditEntry]:
            page = await self.running.operator.list_audit(Window(limit=1000))
            return [entry for entry in page.rows if entry.action == action]

        return await wait_until(renew_if_due, bool)

    async def start(self, target: str = "@all", text: str = "true") -> int:
        """Starts a task of one command."""
        task_id = await self.running.operator.create_task(TaskSpec(target, (CommandSpec(text),)))
        await self.running.operator.start_task(task_id)
        return task_id

    async def row(self, task_id: int) -> CommandHost:
        """The one command host of a task."""
        (row,) = (await self.running.operator.list_command_hosts(task_id, Window())).rows
        return row

    async def works(self, name: str, agent: AgentStream) -> None:
        """A command goes to a host that has said Hello, and its result is committed."""
        task_id = await self.start(name)
        run = (await agent.read_until("run_command")).run_command
        await agent.report(results=[completed(run.execution_id)])
        await agent.read_until("acknowledge")
        assert (await self.row(task_id)).status == "completed"


def completed(execution_id: str, **given: Any) -> pb.Result:
    """A good result without output."""
    return pb.Result(
        execution_id=execution_id, status=pb.RESULT_STATUS_COMPLETED, exit_code=0, **given
    )


@contextlib.asynccontextmanager
async def secure_manager(
    folder: Path, timeouts: Timeouts | None = None, **settings: Any
) -> AsyncIterator[SecureManager]:
    """Runs a manager with its state in `folder`/state."""
    moved = MovedClock()
    given = {"heartbeat": timedelta(seconds=1), "listen": "127.0.0.1:0", **settings}
    all_settings = Settings(state_dir=folder / "state", free_disk=0, **given)
    async with run_manager(all_settings, Clock(now=moved.now), timeouts) as running:
        yield SecureManager(running, folder / "state", moved)
