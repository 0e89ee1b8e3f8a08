"""The agent's executions without a process and a stream: messages go in, reports come out."""

from pathlib import Path

from tui_manager_agent.executions.execution_requests import ExecutionRequests
from tui_manager_agent.executions.orders.cgroup_support import find_cgroup_root
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.settings import SPOOL_LIMIT
from tui_manager_protos.v1 import agent_pb2 as wire


class InProcess:
    """One run of an agent on a state folder. Nothing starts unless `executions.serve` works."""

    def __init__(
        self,
        state_dir: Path,
        policy: Path | None = None,
        *,
        capacity: int = 1,
        spool_limit: int = SPOOL_LIMIT,
    ) -> None:
        self._identity = Identity(state_dir)
        self._identity.bind("manager", "host")
        self.outbox = Outbox()
        self.executions = ExecutionRequests(
            self._identity,
            self.outbox,
            PolicyFile(policy),
            capacity,
            cgroup_root=find_cgroup_root(self._identity.journal_id),
            spool_limit=spool_limit,
        )

    def close(self) -> None:
        self.executions.close()
        self._identity.close()

    async def run(self, execution_id: str, command: str) -> None:
        await self.executions.run(wire.RunCommand(execution_id=execution_id, command=command))

    async def cancel(self, execution_id: str) -> None:
        kill = wire.CANCEL_MODE_KILL
        await self.executions.cancel(wire.CancelCommand(execution_id=execution_id, mode=kill))

    async def resume(self, execution_id: str, action: wire.ResumeAction.ValueType) -> None:
        await self.executions.resume(wire.Resume(execution_id=execution_id, action=action))

    async def acknowledge(self, execution_id: str) -> None:
        """The result is stored."""
        stored = wire.Acknowledged(execution_id=execution_id, result=True)
        await self.executions.acknowledge(wire.Acknowledge(executions=[stored]))
