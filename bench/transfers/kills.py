"""Kills the manager and agents while a task runs, each time it has got a little further."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.under_test.real_agents import RealFleet
from tui_manager.client.read_lists import all_command_hosts
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect

_LOOK_EVERY = 0.2  # seconds
_AGENTS_AT_ONCE = 3
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class KilledFleet:
    """A manager and agents that are killed, and start again at once.

    Attributes:
        killed: how many processes of each kind were.
    """

    fleet: RealFleet
    dice: random.Random
    killed: dict[str, int] = field(default_factory=lambda: {"manager": 0, "agents": 0})

    @property
    def folders(self) -> Mapping[str, Path]:
        """In which the agents work, by the names of their hosts."""
        return {folder.name: folder for folder in self.fleet.work_folders}

    @property
    def pids(self) -> Mapping[str, Sequence[int]]:
        """Of what lives."""
        manager = self.fleet.manager.pid
        return {"manager": [manager] if manager else [], "agent": self.fleet.pids}

    async def ask(self, call: Callable[[Operator], Awaitable[_Answer]]) -> _Answer:
        """The answer of the manager, as soon as there is one."""
        while True:
            with contextlib.suppress(ManagerError):
                async with connect(self.fleet.manager.state_dir) as operator:
                    return await call(operator)
            await asyncio.sleep(_LOOK_EVERY)

    async def rows(self, task_id: int) -> list[CommandHost]:
        """How far a task is."""
        return await self.ask(lambda operator: all_command_hosts(operator, task_id))

    async def run_to_end(self, task_id: int, total: int, kills: int) -> list[CommandHost]:
        """Follows a task that brings `total` bytes on all hosts together. By turns the manager,
        agents and all of them are killed, at times that are spread over these bytes."""
        whom = [self._kill_manager, self._kill_agents, self._kill_all]
        done = 0
        while True:
            rows = await self.rows(task_id)
            if all(row.status.ended for row in rows):
                return rows
            here = sum(row.transfer.bytes for row in rows if row.transfer)
            if done < kills and here > total * (done + 1) / (kills + 2):
                await whom[done % len(whom)]()
                done += 1
            await asyncio.sleep(_LOOK_EVERY)

    async def _kill_manager(self) -> None:
        await self.fleet.manager.kill()
        self.killed["manager"] += 1
        await self.fleet.manager.start()

    async def _kill_agents(self) -> None:
        names = self.dice.sample(sorted(self.folders), min(_AGENTS_AT_ONCE, len(self.folders)))
        await asyncio.to_thread(self._restart, names)

    async def _kill_all(self) -> None:
        await self.fleet.manager.kill()
        await asyncio.to_thread(self._restart, sorted(self.folders))
        self.killed["manager"] += 1
        await self.fleet.manager.start()

    def _restart(self, names: Sequence[str]) -> None:
        agents = self.fleet.agents
        for agent in [one for one in agents.agents if one.name in names]:
            agent.process.kill()
            agent.process.wait()
            agents.agents.remove(agent)
            self.killed["agents"] += 1
        for name in names:
            with contextlib.chdir(self.folders[name]):
                agents.start([(name, "bench")], "")
