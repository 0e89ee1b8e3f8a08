"""The installed agent as a process, as its owner starts it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor.processes import processes

from tests.agent.fake_manager import FakeManager
from tests.support.programs import warm_programs
from tests.support.programs.warm_programs import Running
from tests.support.waiting import GIVE_UP


class AgentProcess:
    """`tui-manager-agent run` on a state folder; may be started again and again."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._process: Running | None = None
        self._stderr = asyncio.StreamReader()
        self._pipe: asyncio.ReadTransport | None = None

    async def start(self, manager: FakeManager, *options: str) -> None:
        """Without TLS."""
        await self.run(manager, "--insecure", *options)

    async def run(self, manager: FakeManager, *options: str, **environment: str) -> None:
        self._close_pipe()
        reader, writer = os.pipe()
        self._process = warm_programs.start(
            "tui-manager-agent",
            ["run", f"--manager={manager.address}", f"--state-dir={self.state_dir}", *options],
            {**os.environ, "OWN_SECRET": "of the agent", **environment},
            stderr=writer,
        )
        os.close(writer)
        self._stderr = asyncio.StreamReader()
        self._pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._stderr), os.fdopen(reader, "rb")
        )

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def says(self, words: str) -> str:
        """The first line from now on that holds the words."""
        said = []
        try:
            async with asyncio.timeout(GIVE_UP):
                async for line in self._stderr:
                    said.append(line.decode())
                    if words in said[-1]:
                        return said[-1]
        except TimeoutError:
            pass
        raise AssertionError(f"it did not say {words!r}, but:\n{''.join(said)}")

    async def ended(self) -> tuple[int, str]:
        """Exit status and stderr, once it ends."""
        assert self._process is not None
        errors = await self._stderr.read()
        code = await asyncio.to_thread(self._process.wait, GIVE_UP)
        return code, errors.decode()

    async def terminate(self) -> tuple[int, str]:
        """SIGTERM; exit status and stderr."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self._process is not None
        self._process.kill()
        await self.ended()

    async def kill_alone(self) -> None:
        """SIGKILL, without waiting for children that enrol, which live on. `ended` waits for them,
        as they have its stderr."""
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait, GIVE_UP)

    async def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            await self.kill()
        self._close_pipe()
        for folder in self.state_dir.glob("managers/*/executions/*"):
            _end(ExecutionFolder(folder))


def _end(spool: ExecutionFolder) -> None:
    """What the agent has left running, as it should."""
    supervisor = spool.supervisor_pid()
    for pid in (*processes.find(spool.folder.name, supervisor), supervisor):
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
