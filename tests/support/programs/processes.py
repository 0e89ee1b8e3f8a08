"""A machine for end-to-end tests: a manager, agents, and whatever they leave behind.

Everything lies in one folder of the test: configuration, state, logs, home. What a test waits for
is read over the manager's socket, as the commands do: a program that starts for each look costs
most of the time.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import psutil

from tests.support.programs.command_lines import command_lines, environment
from tests.support.programs.programs import Program, wait_for
from tests.support.programs.warm_programs import run, start
from tui_manager.client.read_lists import all_command_hosts, all_hosts, all_tasks
from tui_manager.domain.errors import ManagerError, UnreachableError
from tui_manager.domain.presentation.json_fields import command_host_shape, host_shape, task_shape
from tui_manager.operator.api import Operator
from tui_manager.operator.follow_task import output_after
from tui_manager.operator.socket.client.client import connect

_Seen = TypeVar("_Seen")

_MARK = "TUI_MANAGER_TEST"


class _Connection:
    """A connection to the manager of a state folder, with an event loop of its own. It is kept from
    one question to the next: to make both costs the test and the manager five times as much as to
    ask."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._open = AsyncExitStack()
        self._operator: Operator | None = None

    def ask(self, call: Callable[[Operator], Awaitable[_Seen]]) -> _Seen:
        """What the manager answers. Whoever asks after UnreachableError connects anew."""
        return self._runner.run(self._ask(call))

    async def _ask(self, call: Callable[[Operator], Awaitable[_Seen]]) -> _Seen:
        if self._operator is None:
            self._operator = await self._open.enter_async_context(connect(self._state_dir))
        try:
            return await call(self._operator)
        except UnreachableError:
            await self._disconnect()
            raise

    async def _disconnect(self) -> None:
        self._operator = None
        await self._open.aclose()

    def close(self) -> None:
        self._runner.run(self._disconnect())
        self._runner.close()


@dataclass(slots=True)
class Machine:
    """A folder, and the programs that run in it as if it were a machine of their own."""

    folder: Path
    # Short, as a machine's is: a socket's path holds about a hundred bytes.
    runtime: TemporaryDirectory[str] = field(
        default_factory=lambda: TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True)
    )
    programs: list[Program] = field(default_factory=list)
    address: str = ""
    umask: int = -1  # of every program; -1: the test's own
    secure: bool = False  # TLS, as it is by default; else --insecure is said to both sides
    stderr: int | None = None  # the descriptor that programs get instead of a file
    _connection: _Connection | None = None

    @property
    def state_dir(self) -> Path:
        """Of the manager."""
        return self.folder / "manager"

    def environment(self) -> dict[str, str]:
        """Of every program: nothing of this machine's own configuration and state, and a mark on
        whatever they start."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TUI_MANAGER", "XDG_"))
        }
        names = ("CONFIG", "STATE", "DATA", "CACHE")
        own = {f"XDG_{name}_HOME": str(self.folder / name.lower()) for name in names}
        (self.folder / "home").mkdir(exist_ok=True)
        return {
            **kept,
            **own,
            "XDG_RUNTIME_DIR": self.runtime.name,
            "HOME": str(self.folder / "home"),
            "TUI_MANAGER_STATE_DIR": str(self.state_dir),
            _MARK: str(self.folder),
        }

    def configure(self, text: str) -> Path:
        """Writes the manager's configuration file."""
        path = self.folder / "config" / "tui-manager" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(
        self, name: str, *arguments: str, program: str = "tui-manager", **variables: str
    ) -> Program:
        """Starts a program beside the test, with these variables too."""
        self._disconnect()  # it may be a manager
        return self._start(name, arguments, program, variables)

    def _start(
        self,
        name: str,
        arguments: Sequence[str],
        program: str,
        variables: Mapping[str, str],
        folder: Path | None = None,
    ) -> Program:
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with out.open("ab") as stdout, err.open("ab") as stderr:
            process = start(
                program,
                arguments,
                {**self.environment(), **variables},
                stdout=stdout,
                stderr=stderr if self.stderr is None else self.stderr,
                umask=self.umask,
                folder=folder,
            )
        self.programs.append(Program(name, process, out, err))
        return self.programs[-1]

    def run(
        self,
        *arguments: str,
        program: str = "tui-manager",
        stdin: bytes = b"",
        variables: Mapping[str, str] | None = None,
    ) -> "Done":
        """Runs a program to its end, with these variables too."""
        environment = {**self.environment(), **(variables or {})}
        code, out, err = run(program, arguments, environment, stdin=stdin, umask=self.umask)
        return Done(code, out, err.decode(errors="replace"))

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must exit with 0."""
        done = self.run(*arguments, "--json")
        assert done.code == 0, f"{arguments}: {done}\n{self.story()}"
        return json.loads(done.out)

    def wait_for(
        self, what: str, look: Callable[[], _Seen], good: Callable[[_Seen], object] = bool
    ) -> _Seen:
        """As the function, with the story of all programs when it gives up."""
        return wait_for(what, look, good, explain=self.story)

    def serve(self, *options: str, **variables: str) -> Program:
        """Starts a manager on a free port, with these variables too, and waits until it listens."""
        number = sum(program.name.startswith("serve") for program in self.programs)
        serve = self.start(
            f"serve{number}", "serve", *self._security(), *_listen(options), *options, **variables
        )

        def alive_and_listening() -> bool:
            assert serve.process.poll() is None, self.story()
            return serve.out.startswith("listening on ") and serve.out.endswith("\n")

        self.wait_for("the manager to listen", alive_and_listening)
        self.address = serve.out.split()[2]
        return serve

    def agent(
        self, name: str, *options: str, state: str = "", token: str = "", **variables: str
    ) -> Program:
        """Starts an agent with these variables too; `state` is the name of its state folder, `name`
        unless given."""
        number = sum(program.name.startswith(f"agent-{name}-") for program in self.programs)
        self.disk_of(name).mkdir(parents=True, exist_ok=True)
        words = ("run", "--manager", self.address, *self._security(), "--name", name)
        return self._start(
            f"agent-{name}-{number}",
            (*words, "--state-dir", str(self.folder / "agents" / (state or name)), *options),
            "tui-manager-agent",
            ({"TUI_MANAGER_AGENT_JOIN_TOKEN": token} if token else {}) | variables,
            self.disk_of(name),
        )

    def disk_of(self, name: str) -> Path:
        """The folder that stands for the disk of a host: its agent starts in it."""
        return self.folder / "disks" / name

    def token(self, *options: str) -> str:
        """A join token."""
        done = self.run("token", "create", *options)
        assert done.code == 0, f"{done}\n{self.story()}"
        (line,) = done.out.decode().splitlines()
        return line

    def ask(self, call: Callable[[Operator], Awaitable[_Seen]]) -> _Seen:
        """What the manager answers to another operator.

        Raises:
            ManagerError: as the call does, with the story of all programs.
        """
        if self._connection is None:
            self._connection = _Connection(self.state_dir)
        try:
            return self._connection.ask(call)
        except ManagerError as error:
            error.add_note(self.story())
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def answers(self) -> bool:
        """Whether a manager runs and answers."""
        try:
            self.ask(lambda operator: operator.manager_status())
        except UnreachableError:
            return False
        return True

    def hosts(self) -> list[dict[str, Any]]:
        """All hosts, each as `hosts --json` tells."""
        return [host_shape(host) for host in self.ask(all_hosts)]

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, each as `task list --json` tells."""
        return [task_shape(task) for task in self.ask(all_tasks)]

    def output(self, task_id: int) -> bytes:
        """What the hosts of a task have printed so far, in the order in which it came."""

        async def read(operator: Operator) -> bytes:
            parts = output_after(operator, task_id, 0)
            return b"".join([chunk.data async for part in parts for chunk in part])

        return self.ask(read)

    def host(self, name: str) -> Any:
        """The host of that name; None when it is not there."""
        return next((host for host in self.hosts() if host["name"] == name), None)

    def wait_for_host(self, name: str, admission: str) -> Any:
        """The host, once it is online with this admission."""
        return self.wait_for(
            f"{name} to be online and {admission}",
            lambda: self.host(name),
            lambda host: host and host["online"] and host["admission"] == admission,
        )

    def agents(self, *names: str) -> list[Program]:
        """Starts agents, and waits until they are online."""
        started = [self.agent(name) for name in names]
        self.wait_until_online(*names)
        return started

    def wait_until_online(self, *names: str) -> None:
        """Waits until all of these hosts are online."""

        def online() -> set[str]:
            return {host["name"] for host in self.hosts() if host["online"]}

        self.wait_for(f"{names} to be online", online, lambda seen: seen >= set(names))

    def task(self, task_id: int) -> Any:
        """A task with its hosts, as `task show --json` tells; without the limits."""

        async def read(operator: Operator) -> dict[str, Any]:
            detail = await operator.get_task(task_id)
            rows = await all_command_hosts(operator, task_id)
            steps = [command.spec for command in detail.commands]
            hosts = [command_host_shape(row, steps[row.command]) for row in rows]
            return task_shape(detail.task) | {"hosts": hosts}

        return self.ask(read)

    def wait_for_task(self, task_id: int, status: str) -> Any:
        """The task, once it has the status."""
        return self.wait_for(
            f"task {task_id} to be {status}",
            lambda: self.task(task_id),
            lambda task: task["status"] == status,
        )

    def _security(self) -> Sequence[str]:
        return () if self.secure else ("--insecure",)

    def story(self) -> str:
        """What all programs said."""
        return "\n".join(program.story() for program in self.programs)

    def stop(self) -> None:
        """Ends all programs, the youngest first, and whatever they left."""
        self._disconnect()
        for program in reversed(self.programs):
            if program.process.poll() is None:
                program.process.terminate()
        for program in self.programs:
            try:
                program.process.wait(30)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()
        for process in self.left_behind():
            with suppress(psutil.Error):
                process.kill()
        self.runtime.cleanup()

    def left_behind(self) -> list[psutil.Process]:
        """What runs under the mark or in the folder, with all that it started."""
        folder, found = str(self.folder), list[psutil.Process]()
        mark = f"{_MARK}={folder}"
        for pid, words in command_lines():
            with suppress(psutil.Error):  # it has ended
                if any(folder in word for word in words):
                    process = psutil.Process(pid)
                    found += [process, *process.children(recursive=True)]
                elif mark in environment(pid):
                    found.append(psutil.Process(pid))
        return found


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    code: int
    out: bytes
    err: str


def marked(mark: Mapping[str, str]) -> list[psutil.Process]:
    """The processes of this machine that have these environment variables."""
    texts = {f"{name}={value}" for name, value in mark.items()}
    found = []
    for pid, _ in command_lines():
        if texts.issubset(environment(pid)):
            with suppress(psutil.Error):  # it has ended
                found.append(psutil.Process(pid))
    return found


def _listen(options: Sequence[str]) -> Sequence[str]:
    return () if "--listen" in options else ("--listen", "127.0.0.1:0")
