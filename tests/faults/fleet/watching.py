"""What a fleet looks like from outside: its database, its logs, its processes."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.faults.fleet import processes
from tests.faults.fleet.fleet_database import FleetDatabase
from tests.faults.fleet.manager_of_fleet import ManagerOfFleet
from tests.faults.fleet.node import Node
from tests.support.waiting import wait_until
from tui_manager.storage.engine.transaction import Row

Seen = TypeVar("Seen")

GIVE_UP = 180.0  # seconds; far beyond what anything here takes
_LAST_LINES = 40  # of each log, in the message of a check that failed


class Watching:
    """A fleet that is looked at. All waits show the whole story when they give up.

    Attributes:
        database: read past the managers.
        story: what was done to the programs, with times.
    """

    folder: Path
    database: FleetDatabase
    managers: list[ManagerOfFleet]

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.agents: dict[str, Node] = {}
        self.story: list[str] = []
        self._began = time.monotonic()

    @property
    def nodes(self) -> Sequence[Node]:
        """All programs, managers first."""
        return (*(manager.node for manager in self.managers), *self.agents.values())

    def note(self, what: str) -> None:
        """Remembers a fault for the message of a check that fails."""
        self.story.append(f"{time.monotonic() - self._began:8.3f} {what}")

    async def wait(
        self,
        what: str,
        look: Callable[[], Seen],
        good: Callable[[Seen], object] = bool,
        seconds: float = GIVE_UP,
    ) -> Seen:
        """Looks until what it sees is `good`, with the whole story when it gives up."""

        async def see() -> Seen:
            await self.database.there.wait()
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

    def said(self, text: str) -> bool:
        """Whether a manager has logged this."""
        return any(text in manager.node.text() for manager in self.managers)

    def leader(self) -> ManagerOfFleet:
        """The manager that leads, by the database; the first one if nobody does."""
        return self.leader_by_lease() or self.managers[0]

    def leader_by_lease(self) -> ManagerOfFleet | None:
        """The manager that leads, by the database; None: nobody does."""
        if len(self.managers) == 1:
            return self.managers[0]
        query = "SELECT key FROM gateways JOIN leader ON leader.gateway = gateways.id"
        return self._with_key(self.rows(query))

    def gateway_of(self, name: str) -> ManagerOfFleet:
        """The manager that has, or had, the newest session of a host; the first one if none has."""
        if len(self.managers) == 1:
            return self.managers[0]
        query = "SELECT key FROM gateways JOIN hosts ON gateway = gateways.id WHERE hosts.name = ?"
        return self._with_key(self.rows(query, name)) or self.managers[0]

    def _with_key(self, rows: Sequence[Row]) -> ManagerOfFleet | None:
        keys = [row["key"] for row in rows]
        return next((one for one in self.managers if one.key in keys), None)

    def left_behind(self) -> list[psutil.Process]:
        """Processes of supervisors and commands of this fleet."""
        own = {node.pid for node in self.nodes if node.alive}
        return processes.of(self.folder, but=own | {os.getpid()})

    def fork_servers(self) -> list[psutil.Process]:
        """The processes that fork supervisors; each leaves with its agent."""
        return processes.fork_servers(self.folder)

    def supervisors(self) -> list[psutil.Process]:
        """The supervisors that live."""
        return processes.supervisors(self.folder)

    def explain(self) -> str:
        """Seed, faults with times, and the last lines of all logs."""
        parts = [f"seed: {self.seed}", "what was done:", *self.story]
        for node in self.nodes:
            lines = node.text().splitlines()[-_LAST_LINES:]
            parts += [f"--- {node.name} (alive={node.alive}, points hit: {node.hits})", *lines]
        return "\n".join(parts)
