"""Real managers and agents as processes, whose agents dial through a proxy.

Everything lies in one folder. What was started is killed with it, whatever happens.
"""

import asyncio
import contextlib
import math
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil

from tests.faults.fleet.command import GO
from tests.faults.fleet.files_of_fleet import FilesOfFleet
from tests.faults.fleet.fleet_database import FleetDatabase, fleet_database
from tests.faults.fleet.fleet_tls import FleetTls, chosen_tls
from tests.faults.fleet.manager_of_fleet import ManagerOfFleet, manager_of_fleet
from tests.faults.fleet.node import Node
from tests.faults.fleet.operators import Operators
from tests.faults.fleet.proxy import Proxies
from tests.faults.fleet.watching import GIVE_UP
from tests.support.programs.warm_programs import start

MANAGERS = "FAULTS_MANAGERS"  # how many each fleet has; several need PostgreSQL
NO_CGROUPS = "FAULTS_NO_CGROUPS"  # see inject/sitecustomize.py
_SHIFTS = {"FAULTS_SHIFT", "FAULTS_SHIFT_FILE"}  # what a program imports must see them
_INJECT = Path(__file__).parents[1] / "inject"
_SETTINGS = {
    "heartbeat": '"300ms"',
    "lost_after": '"60s"',
    "kill_grace": '"400ms"',
    "free_disk": "0",
}


def chosen_managers() -> int:
    """How many managers the fleets of this process have."""
    return int(os.environ.get(MANAGERS) or 1)


class Fleet(Operators):
    """One manager or several, and their agents.

    Attributes:
        managers: those that share the database. The first one is the home of the agents: they
            reach only this one until all were online for the first time, unless the fleet is
            `spread`. It is also the first leader.
        proxy: those between agents and managers, as one.
        database: read past the managers.
        dial: the address that new agents dial, if not that of the proxies.
        files: what is copied to hosts and fetched from them.
        tls: None: managers and agents are insecure.
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
        spread: bool = False,
        database: FleetDatabase | None = None,
    ) -> None:
        """
        Args:
            cgroups: None: as the variable FAULTS_NO_CGROUPS of this process says.
            spread: agents reach all managers from the start.
            database: None: a new one, as the variable FAULTS_DATABASE says.
        """
        super().__init__(seed)
        self.folder = folder
        self.files = FilesOfFleet(self)
        self.spread = spread
        self.dial = ""
        self.cgroups = NO_CGROUPS not in os.environ if cgroups is None else cgroups
        if not self.cgroups:
            self.story.append("agents find no cgroups")
        self.database = database or fleet_database(folder)
        chosen = {**_SETTINGS, **self.database.settings, **(settings or {})}
        count = chosen_managers()
        numbers = range(1, count + 1) if count > 1 else (0,)
        self.tls = FleetTls() if chosen_tls() else None
        self.managers = [
            manager_of_fleet(folder, number, chosen, secure=self.tls is not None)
            for number in numbers
        ]
        if count > 1:
            for manager in self.managers:
                manager.door, url = self.database.door()
                manager.settings["database"] = f'"{url}"'
        self.proxy = Proxies([manager.proxy for manager in self.managers])
        self.asked = list(self.managers)

    @property
    def manager(self) -> Node:
        """The program of the first manager."""
        return self.managers[0].node

    @property
    def state_dir(self) -> Path:
        """Of the first manager."""
        return self.managers[0].state_dir

    async def listen(self) -> None:
        """The proxies listen, and the managers know under which addresses they are dialed."""
        await self.proxy.start()
        if self.tls:
            await self.tls.proxy.start()
        for manager in self.managers:
            if len(self.managers) > 1:
                manager.settings.setdefault("advertise", f'"{manager.proxy.address}"')
                manager.proxy.refuses = not self.spread and manager is not self.managers[0]
            manager.write_settings()

    async def start_managers(self) -> None:
        """Starts the managers that do not run. The first one has started before the others do."""
        for manager in self.managers:
            if not manager.node.alive:
                await self.start_manager(manager.node)

    async def start_manager(self, node: Node | None = None) -> None:
        """Starts a manager, and waits until it listens.

        Args:
            node: None: the first one.
        """
        node = node or self.manager
        (manager,) = (one for one in self.managers if one.node is node)
        if self.tls:
            self.tls.share_keys(manager, self.managers)
        text = await self._start_once(node)
        while not node.alive:  # a fault has killed it, or stopped the server of the database
            if not (node.killed or _NO_DATABASE.match(text.rstrip().splitlines()[-1])):
                raise AssertionError(f"{node.name} does not start.\n{self.explain()}")
            text = await self._start_once(node)  # as systemd does
        line = [line for line in text.splitlines() if line.startswith("listening on ")][-1]
        manager.proxy.target = int(line.split()[2].rpartition(":")[2])
        if self.tls:
            self.tls.lead_to(line)
            if not self.tls.has_token:
                await self.ask(self.tls.make_token, manager)

    async def _start_once(self, node: Node) -> str:
        """Starts a manager when the database is there, waits until it listens or has ended, and
        returns its output."""
        await self.database.there.wait()
        seen = _listening(node.text())
        self.start_program(node)
        return await self.wait(
            f"{node.name} to listen",
            node.text,
            lambda text: _listening(text) > seen or not node.alive,
        )

    def add_agent(self, name: str, *options: str) -> Node:
        """An agent that has a folder of its own as its host, not yet started."""
        host = self.host(name)
        host.mkdir(parents=True, exist_ok=True)
        address = self.dial or self.proxy.address
        security = [] if self.tls else ["--insecure"]
        arguments = ["run", *security, "--manager", address, "--name", name]
        arguments += ["--state-dir", str(host / "state"), *options]
        environment = {"TMPDIR": str(host), "HOME": str(host)}
        self.agents[name] = Node(name, self.folder, arguments, environment, starts_in=host)
        return self.agents[name]

    def host(self, name: str) -> Path:
        """The folder that stands for a host."""
        return self.folder / "hosts" / name

    def let_go(self, name: str) -> None:
        """Commands that are held on a host may end."""
        (self.host(name) / GO).touch()

    def start_agent(self, name: str) -> None:
        """Starts an agent; when it has connected is another question."""
        self.start_program(self.agents[name])

    async def start(self, *names: str) -> None:
        """Starts everything, and waits until all agents are online."""
        await self.listen()
        await self.start_managers()
        for name in names:
            self.add_agent(name)
            self.start_agent(name)
        await self.online(*names)

    def start_program(self, node: Node) -> None:
        """Starts a manager or an agent, and waits for nothing."""
        is_agent = node in self.agents.values()
        if not is_agent:
            self.database.release()
        program = "tui-manager-agent" if is_agent else "tui-manager"
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
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(run),
            "HOME": str(self.folder),
            "PYTHONPATH": str(_INJECT),
            "LD_FAULTS_ARM": str(node.arm_path),
            **({} if self.cgroups else {NO_CGROUPS: "1"}),
            **(self.tls.variables(node.arguments) if self.tls and is_agent else {}),
            **node.environment,
            **({"PYTHONPATH": f"{node.code}:{_INJECT}"} if node.code else {}),
        }
        with node.log.open("ab") as log:
            node.process = start(
                program,
                node.arguments,
                environment,
                prefix=node.prefix,
                stdout=log,
                stderr=log,
                inject=None if environment.keys() & _SHIFTS or node.code else _INJECT,
                folder=node.starts_in,
            )

    async def kill(self, node: Node) -> None:
        """SIGKILL, as a crash would."""
        self.note(f"SIGKILL {node.name}")
        node.send(signal.SIGKILL)
        await self.ended(node)

    async def terminate(self, node: Node) -> int:
        """SIGTERM; returns the exit status."""
        self.note(f"SIGTERM {node.name}")
        self.database.release()
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
        await self.start_managers()
        for name, node in self.agents.items():
            if not node.alive:
                self.start_agent(name)

    async def close(self) -> None:
        """Kills everything that was started, and all that came of it."""
        await self.connections.aclose()
        for node in self.nodes:
            node.send(signal.SIGKILL)
            if node.process is not None:
                node.process.wait()
        await self.proxy.stop()  # nobody dials it any more
        if self.tls:
            await self.tls.proxy.stop()
        for process in self.left_behind():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for manager in self.managers:
            if manager.door:
                manager.door.close()
        self.database.close()

    async def online(self, *names: str) -> None:
        """Waits until these hosts are online, as all managers see it. From then on agents reach all
        managers."""

        async def watch() -> None:
            while True:
                broken = [name for name in names if self.agents[name].broken]
                assert not broken, f"these agents cannot run: {broken}\n{self.explain()}"
                await asyncio.sleep(0.1)

        watching = asyncio.create_task(watch())
        seeing = asyncio.create_task(self.see_online(*names))
        try:
            done, _ = await asyncio.wait((watching, seeing), return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in (watching, seeing):
                task.cancel()
            await asyncio.gather(watching, seeing, return_exceptions=True)
        if names:
            for manager in self.managers:
                manager.proxy.refuses = False

    async def gather_agents(self, manager: ManagerOfFleet | None = None) -> None:
        """All agents dial this manager, and are online there.

        Args:
            manager: None: the first one.
        """
        manager = manager or self.managers[0]
        for other in self.managers:
            if other is not manager:
                other.proxy.refuses = True
                other.proxy.cut()
        await self.wait(
            f"agents to dial {manager.node.name}",
            lambda: self._elsewhere(manager),
            lambda elsewhere: not elsewhere,
        )
        self.note(f"all agents are at {manager.node.name}")
        await self.online(*self.agents)

    def _elsewhere(self, manager: ManagerOfFleet) -> set[str]:
        online = {row["name"] for row in self.rows("SELECT name FROM hosts WHERE online")}
        return {
            name
            for name in self.agents
            if name not in online or self.gateway_of(name) is not manager
        }


_NO_DATABASE = re.compile(r"tui-manager: The PostgreSQL database .* cannot be (reached|used now)\.")


def _listening(text: str) -> int:
    return sum(line.startswith("listening on ") for line in text.splitlines())


@contextlib.asynccontextmanager
async def fleet_of(
    folder: Path,
    seed: str,
    *names: str,
    settings: Mapping[str, str] | None = None,
    cgroups: bool | None = None,
    spread: bool = False,
    database: FleetDatabase | None = None,
) -> AsyncIterator[Fleet]:
    """A fleet whose agents are online; everything of it is gone when the block is left."""
    fleet = Fleet(folder, seed, settings, cgroups=cgroups, spread=spread, database=database)
    try:
        await fleet.start(*names)
        yield fleet
    finally:
        await fleet.close()
