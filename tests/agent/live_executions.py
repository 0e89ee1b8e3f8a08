"""The executions of an agent that works, and what they have reported."""

import asyncio
import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor.processes import processes
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.in_process import InProcess
from tests.support.waiting import GIVE_UP


class LiveExecutions(InProcess):
    """An agent that works, and what it has reported of its executions."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir, capacity=3)
        self._state_dir = state_dir
        self.started: set[str] = set()
        self.output: dict[str, bytes] = {}
        self.gaps = Counter[str]()
        self.results: dict[str, wire.Result] = {}
        self._serving = asyncio.create_task(self.executions.serve())

    async def start(self, command: str) -> str:
        """Returns when it has started; its id."""
        execution_id = str(uuid.uuid4())
        await self.run(execution_id, command)
        await self.until(lambda: execution_id in self.started)
        return execution_id

    async def result(self, execution_id: str) -> wire.Result:
        await self.until(lambda: execution_id in self.results)
        return self.results[execution_id]

    async def until(self, condition: Callable[[], object]) -> None:
        """Returns when a report makes the condition true."""
        async with asyncio.timeout(GIVE_UP):
            while not condition():
                assert not self._serving.done()
                await self.outbox.wait()
                self._take(self.outbox.report())

    def supervisor_of(self, execution_id: str) -> int:
        (folder,) = self._state_dir.glob(f"managers/*/executions/{execution_id}")
        return ExecutionFolder(folder).supervisor_pid()

    async def stop(self) -> None:
        self._serving.cancel()
        await asyncio.wait((self._serving,))
        self.close()

    def end_commands(self) -> None:
        for folder in self._state_dir.glob("managers/*/executions/*"):
            for pid in (ExecutionFolder(folder).supervisor_pid(), *processes.find(folder.name, 0)):
                if pid:
                    os.kill(pid, signal.SIGKILL)

    def _take(self, report: wire.Report) -> None:
        self.started.update(started.execution_id for started in report.started)
        for part in report.output:
            known = self.output.get(part.execution_id, b"")
            self.output[part.execution_id] = known + part.data
            self.gaps[part.execution_id] += part.gap
        self.results.update((result.execution_id, result) for result in report.results)
