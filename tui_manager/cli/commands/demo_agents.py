"""Real agents on this machine for the demo: starts, watches and ends them with all their processes.

Commands may outlive their agent, and background processes their command. So the processes of the
demo are found by a variable in their environment, and not by their parents.
"""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, ManagerError

AGENT = "tui-manager-agent"
STOP_SECONDS = 5.0  # limit for an agent to end by itself
_MARK = "TUI_MANAGER_DEMO"  # variable of the agents
_EXECUTION = "TUI_MANAGER_EXECUTION_ID"  # variable that agents set for every process of a command
_SWEEPS = 20
_SWEEP_SECONDS = 0.05
_TOKEN = "TUI_MANAGER_AGENT_JOIN_TOKEN"
_ROLES = ("web", "web", "db")


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of the demo."""

    name: str
    process: subprocess.Popen[bytes]
    stderr: Path

    @property
    def last_words(self) -> str:
        """The last lines of its stderr."""
        with suppress(OSError):
            return "\n".join(self.stderr.read_text(errors="replace").splitlines()[-5:])
        return ""


def host_names(count: int) -> Iterator[tuple[str, str]]:
    """Names and roles of `count` hosts: web01, web02, db01, web03…"""
    numbers = dict.fromkeys(_ROLES, 0)
    for index in range(count):
        role = _ROLES[index % len(_ROLES)]
        numbers[role] += 1
        yield f"{role}{numbers[role]:02}", role


def _private(path: str, flags: int) -> int:
    """Opens a file that only its owner can read. The umask stays, because agents inherit it."""
    return os.open(path, flags, 0o600)


def agent_program() -> str:
    """The agent that is installed beside this program, or else the one in PATH.

    Raises:
        InvalidInputError: there is none.
    """
    beside = Path(sys.executable).with_name(AGENT)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(AGENT)
    if not found:
        raise InvalidInputError(
            "agents", f"The program {AGENT} is not installed: pip install {AGENT}."
        )
    return found


class DemoAgents:
    """The agents of one demo. Their processes have a variable by which they are found again."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._address = address
        self._mark = uuid.uuid4().hex
        self.agents: list[Agent] = []

    def start(self, names: Iterable[tuple[str, str]], token: str) -> None:
        """Starts an agent for each name and role, which enrols with the token. The token is in its
        environment, because every user can read a command line."""
        program = agent_program()
        for name, role in names:
            stderr = self._folder / f"{name}.log"
            arguments = (
                *(program, "run", "--manager", self._address, "--name", name),
                *("--label", "env=demo", "--label", f"role={role}"),
                *("--state-dir", str(self._folder / name)),
            )
            with open(stderr, "wb", opener=_private) as log:
                process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, _MARK: self._mark, _TOKEN: token},
                    start_new_session=True,  # so that ctrl-c in the terminal does not reach them
                )
            self.agents.append(Agent(name, process, stderr))

    def check_alive(self) -> None:
        """Raises ManagerError with the stderr of an agent that ended by itself."""
        for agent in self.agents:
            if agent.process.poll() is not None:
                raise ManagerError(
                    f"The agent {agent.name} ended with status {agent.process.returncode}:\n"
                    f"{agent.last_words}"
                )

    def stop(self, executions: Collection[str] = ()) -> None:
        """Ends the agents, and then all processes that they and these executions left."""
        for agent in self.agents:
            agent.process.terminate()
        for agent in self.agents:
            try:
                agent.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                agent.process.kill()
                agent.process.wait()
        for _ in range(_SWEEPS):  # a killed process may have started another one
            left = [process for process in psutil.process_iter() if self._owns(process, executions)]
            if not left:
                return
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(_SWEEP_SECONDS)

    def _owns(self, process: psutil.Process, executions: Collection[str]) -> bool:
        """Whether a process belongs to an agent or an execution, or runs in the folder."""
        with suppress(psutil.Error):
            environment = process.environ()
            return (
                environment.get(_MARK) == self._mark
                or environment.get(_EXECUTION) in executions
                or any(str(self._folder) in argument for argument in process.cmdline())
            )
        return False
