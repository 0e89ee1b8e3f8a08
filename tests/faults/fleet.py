"""Real managers and agents as processes, whose agents dial through a proxy.

Everything lies in one folder. What was started is killed with it, whatever happens.
"""

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.faults import processes
from tests.faults.command import GO
from tests.faults.fleet_database import fleet_database
from tests.faults.node import Node
from tests.faults.proxy import Proxy
from tests.support.waiting import wait_until
from tests.support.warm_programs import start
from tui_manager.domain.errors import IllegalMoveError, StorageError, UnreachableError
from tui_manager.domain.list_window import Window
from tui_manager.domain.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client import connect
from tui_manager.storage.engine.transaction import Row

Seen = TypeVar("Seen")
Reply = TypeVar("Reply")

GIVE_UP = 90.0  # seconds; far beyond what anything here takes
MANAGER = "manager"
NO_CGROUPS = "FAULTS_NO_CGROUPS"  # see inject/sitecustomize.py
_SHIFTS = {"FAULTS_SHIFT", "FAULTS_SHIFT_FILE"}  # what a program imports must see them
_INJECT = Path(__file__).parent / "inject"
_LAST_LINES = 40  # of each log, in the message of a check that failed
_SETTINGS = {
    "heartbeat": '"300ms"',
    "lost_after": '"60s"',
    "kill_grace": '"400ms"',
    "free_disk": "0",
}


class Fleet:
    """One manager and its agents.

    Attributes:
        proxy: between the agents and the manager.
        database: read past the manager.
        dial: the address that new agents dial, if not the proxy's.
        story: what was done to them, with times; shown when a check fails.
        cgroups: commands are killed in cgroups, where the system has them for tests. If not, no
            agent finds any, and processes are looked for.
    """

    def __init__(
        self,
        folder: Path,
        seed: str,
        settings: Mapping[str, str] | None = None,
        *,
        cgroups: bool | None = None,
    ) -> None:
        """`cgroups`: None: as the variable FAULTS_NO_CGROUPS of this process says."""
        self.folder = folder
        self.seed = seed
        self.proxy = Proxy()
        self.dial = ""
        self.cgroups = NO_CGROUPS not in os.environ if cgroups is None else cgroups
        self.story: list[str] = [] if self.cgroups else ["agents find no cgroups"]
        self.agents: dict[str, Node] = {}
        self._began = time.monotonic()
        self.manager = Node(MANAGER, folder, ["serve", "--insecure", "--listen", "127.0.0.1:0"])
        config = folder / "config" / "tui-manager" / "config.toml"
        config.parent.mkdir(parents=True)
        self.database = fleet_database(folder)
        chosen = {**_SETTINGS, **self.database.settings, **(settings or {})}
        lines = [f"{name} = {value}" for name, value in chosen.items()]
        config.write_text("\n".join(lines))

    @property
    def state_dir(self) -> Path:
        """Of the manager."""
        return self.folder / "state"

    def note(self, what: str) -> None:
        """Remembers a fault for the message of a check that fails."""
        self.story.append(f"{time.monotonic() - self._began:8.3f} {what}")

    # ---------------------------------------------------------------------------- the programs

    async def start_manager(self) -> None:
        """Starts the manager, and waits until it listens."""
        seen = _listening(self.manager.text())
        self._start(self.manager, "tui-manager")
        text = await self.wait(
            "the manager to listen",
            self.manager.text,
            lambda text: _listening(text) > seen or not self.manager.alive,
        )
        if not self.manager.alive:
            raise AssertionError(f"The manager does not start.\n{self.explain()}")
        line = [line for line in text.splitlines() if line.startswith("listening on ")][-1]
        self.proxy.target = int(line.split()[2].rpartition(":")[2])

    def add_agent(self, name: str, *options: str) -> Node:
        """An agent that has a folder of its own as its host, not yet started."""
        host = self.folder / "hosts" / name
        host.mkdir(parents=True, exist_ok=True)
        address = self.dial or self.proxy.address
        arguments = ["run", "--insecure", "--manager", address, "--name", name]
        arguments += ["--state-dir", str(host / "state"), *options]
        environment = {"TMPDIR": str(host), "HOME": str(host)}
        self.agents[name] = Node(name, self.folder, arguments, environment)
        return self.agents[name]

    def host(self, name: str) -> Path:
        """The folder that stands for a host."""
        return self.folder / "hosts" / name

    def let_go(self, name: str) -> None:
        """Commands that are held on a host may end."""
        (self.host(name) / GO).touch()

    def start_agent(self, name: str) -> None:
        """Starts an agent; when it has connected is another question."""
        self._start(self.agents[name], "tui-manager-agent")

    async def start(self, *names: str) -> None:
        """Starts everything, and waits until all agents are online."""
        await self.proxy.start()
        await self.start_manager()
        for name in names:
            self.add_agent(name)
            self.start_agent(name)
        await self.online(*names)

    def _start(self, node: Node, program: str) -> None:
        assert not node.alive, f"{node.name} runs already"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TUI_MANAGER", "XDG_", NO_CGROUPS))
        }
        run = self.folder / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        environment = {
            **kept,
            **{f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CONFIG", "STATE")},
            "XDG_RUNTIME_DIR": str(run),
            "HOME": str(self.folder),
            "TUI_MANAGER_STATE_DIR": str(self.state_dir),
            "PYTHONPATH": str(_INJECT),
            "LD_FAULTS_ARM": str(node.arm_path),
            **({} if self.cgroups else {NO_CGROUPS: "1"}),
            **node.environment,
        }
        with node.log.open("ab") as log:
            node.process = start(
                program,
                node.arguments,
                environment,
                prefix=node.prefix,
                stdout=log,
                stderr=log,
                inject=None if environment.keys() & _SHIFTS else _INJECT,
            )

    async def kill(self, node: Node) -> None:
        """SIGKILL, as a crash would."""
        self.note(f"SIGKILL {node.name}")
        node.send(signal.SIGKILL)
        await self.ended(node)

    async def terminate(self, node: Node) -> int:
        """SIGTERM; returns the exit status."""
        self.note(f"SIGTERM {node.name}")
        node.send(signal.SIGTERM)
        return await self.ended(node)

    async def ended(self, node: Node, *, for_ever: bool = False) -> int:
        """The exit status of a program, once it has ended."""
        process = node.process
        assert process is not None
        code = await self.wait(
            f"{node.name} to end",
            process.poll,
            lambda code: code is not None,
            seconds=math.inf if for_ever else GIVE_UP,
        )
        assert code is not None
        return code

    async def revive(self) -> None:
        """Starts again whatever is dead."""
        if not self.manager.alive:
            await self.start_manager()
        for name, node in self.agents.items():
            if not node.alive:
                self.start_agent(name)

    async def close(self) -> None:
        """Kills everything that was started, and all that came of it."""
        for node in (self.manager, *self.agents.values()):
            node.send(signal.SIGKILL)
            if node.process is not None:
                node.process.wait()
        await self.proxy.stop()  # nobody dials it any more
        for process in self.left_behind():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.database.close()

    def left_behind(self) -> list[psutil.Process]:
        """Processes of supervisors and commands of this fleet."""
        own = {node.pid for node in (self.manager, *self.agents.values()) if node.alive}
        own |= {process.pid for process in self.fork_servers()}
        return processes.of(self.folder, but=own | {os.getpid()})

    def fork_servers(self) -> list[psutil.Process]:
        """The processes that fork supervisors; each leaves with its agent."""
        return processes.fork_servers(self.folder)

    def supervisors(self) -> list[psutil.Process]:
        """The supervisors that live."""
        return processes.supervisors(self.folder)

    # ------------------------------------------------------------------------------ looking on

    async def wait(
        self,
        what: str,
        look: Callable[[], Seen],
        good: Callable[[Seen], object] = bool,
        seconds: float = GIVE_UP,
    ) -> Seen:
        """Looks until what it sees is `good`, with the whole story when it gives up."""

        async def see() -> Seen:
            return look()

        try:
            return await wait_until(see, good, seconds)
        except AssertionError as error:
            raise AssertionError(f"waiting for {what}: {error}\n{self.explain()}") from None

    def rows(self, query: str, *values: object) -> Sequence[Row]:
        """What the database holds, read past the manager."""
        return self.database.query(query, values)

    def number(self, query: str, *values: object) -> int:
        """The one number that a query finds."""
        return int(self.rows(query, *values)[0][0] or 0)

    async def online(self, *names: str) -> None:
        """Waits until these hosts are online."""

        async def seen() -> set[str]:
            broken = [name for name in names if self.agents[name].broken]
            assert not broken, f"these agents cannot run: {broken}"

            async def ask(operator: Operator) -> set[str]:
                page = await operator.list_hosts(Window(limit=1000))
                return {host.name for host in page.rows if host.online}

            return await self.ask(ask)

        try:
            await wait_until(seen, lambda found: found >= set(names), GIVE_UP)
        except AssertionError as error:
            raise AssertionError(f"waiting for {names}: {error}\n{self.explain()}") from None

    async def ended_tasks(self, task_ids: Sequence[int]) -> None:
        """Waits until these tasks have ended, and every agent has let go of what it held."""
        marks = ",".join("?" * len(task_ids))
        await self.wait(
            f"tasks {task_ids} to end",
            lambda: [
                tuple(row)
                for row in self.rows(
                    f"SELECT id, status, pending, running FROM tasks WHERE id IN ({marks})"
                    " AND (status NOT IN ('completed', 'failed', 'canceled')"
                    " OR pending + running > 0)",
                    *task_ids,
                )
            ],
            lambda unended: not unended,
        )

    async def settled(self) -> None:
        """Waits until no agent holds anything and no command runs."""
        await self.wait("the journals to be empty", self.held, lambda held: not held)
        await self.wait("commands to be gone", self.left_behind, lambda left: not left)

    def held(self) -> list[str]:
        """Folders of executions on all hosts."""
        return [str(path) for path in self.folder.glob("hosts/*/state/managers/*/executions/*")]

    # ----------------------------------------------------------------------------- the operator

    async def ask(self, call: Callable[[Operator], Awaitable[Reply]]) -> Reply:
        """Calls the operator's API until a manager answers that has a database."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + GIVE_UP
        while True:
            try:
                async with connect(self.state_dir) as operator:
                    return await call(operator)
            except (UnreachableError, StorageError) as error:
                if loop.time() > give_up_at:
                    raise AssertionError(f"No manager: {error}\n{self.explain()}") from None
                await asyncio.sleep(0.05)

    async def run(
        self,
        target: str,
        *commands: CommandSpec,
        offline: Offline = Offline.FAIL,
        rollout: RolloutSpec = ALL_AT_ONCE,
    ) -> int:
        """Creates and starts a task; returns its task_id.

        A manager that dies before it answers may leave a task that is never started, but none that
        is and that nobody waits for.
        """
        spec = TaskSpec(target, commands, name="fault", offline=offline, rollout=rollout)
        task_id = await self.ask(lambda operator: operator.create_task(spec))

        async def start(operator: Operator) -> None:
            if await operator.get_task_status(task_id) is TaskStatus.PENDING:
                await operator.start_task(task_id)

        await self.ask(start)
        return task_id

    async def cancel(self, task_id: int) -> None:
        """Cancels a task."""
        self.note(f"cancel task {task_id}")
        await self.ask(lambda operator: operator.cancel_task(task_id))

    async def cancel_if_running(self, task_id: int) -> bool:
        """Cancels a task unless it has just ended; whether it did."""
        self.note(f"cancel task {task_id}")
        return await self._moved(lambda operator: operator.cancel_task(task_id))

    async def cancel_on_host(self, task_id: int, name: str) -> bool:
        """Cancels a task on one of its hosts unless it has just ended there; whether it did."""
        self.note(f"cancel task {task_id} on {name}")
        (row,) = self.rows("SELECT host_id FROM hosts WHERE name = ?", name)
        return await self._moved(lambda operator: operator.cancel_task(task_id, (row["host_id"],)))

    async def pause(self, task_id: int) -> bool:
        """Pauses a task unless it is paused, being canceled, or has just ended; whether it did."""
        self.note(f"pause task {task_id}")
        return await self._moved(lambda operator: operator.pause_task(task_id))

    async def resume(self, task_id: int) -> bool:
        """Ends the pause and the hold of a task; whether there was one."""
        self.note(f"resume task {task_id}")
        return await self._moved(lambda operator: operator.resume_task(task_id))

    async def _moved(self, call: Callable[[Operator], Awaitable[None]]) -> bool:
        try:
            await self.ask(call)
        except IllegalMoveError:
            return False
        return True

    def explain(self) -> str:
        """Seed, faults with times, and the last lines of all logs."""
        parts = [f"seed: {self.seed}", "what was done:", *self.story]
        for node in (self.manager, *self.agents.values()):
            lines = node.text().splitlines()[-_LAST_LINES:]
            parts += [f"--- {node.name} (alive={node.alive}, points hit: {node.hits})", *lines]
        return "\n".join(parts)


def _listening(text: str) -> int:
    return sum(line.startswith("listening on ") for line in text.splitlines())


@contextlib.asynccontextmanager
async def fleet_of(
    folder: Path,
    seed: str,
    *names: str,
    settings: Mapping[str, str] | None = None,
    cgroups: bool | None = None,
) -> AsyncIterator[Fleet]:
    """A fleet whose agents are online; everything of it is gone when the block is left."""
    fleet = Fleet(folder, seed, settings, cgroups=cgroups)
    try:
        await fleet.start(*names)
        yield fleet
    finally:
        await fleet.close()
