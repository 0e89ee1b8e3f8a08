"""Managers on one database of PostgreSQL, in one process: each with its own connections, and all
with one clock that a test turns."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts
from tui_manager.service.managers.lease_rules import BEAT_EVERY
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import gateways
from tui_manager.storage.tables.manager.gateways import LeaderRow


@dataclass
class Managers:
    """The managers that run, by their names. They beat when a test says so."""

    folder: Path
    limits: dict[str, Any] = field(default_factory=dict)
    clock: TurnedClock = field(default_factory=TurnedClock)
    running: dict[str, tuple[Parts, contextlib.AsyncExitStack]] = field(default_factory=dict)

    async def start(self, name: str) -> Parts:
        """Starts one, the first time or again. It leads if nobody does."""
        stack = contextlib.AsyncExitStack()
        making = manager_parts(self.folder, self.clock, key=name, **self.limits)
        parts = await stack.enter_async_context(making)
        self.running[name] = parts, stack
        return parts

    async def kill(self, name: str) -> None:
        """Its connections end, without a word."""
        _, stack = self.running.pop(name)
        await stack.aclose()

    async def stop(self, name: str) -> None:
        """It stops in order."""
        parts, _ = self.running[name]
        await parts.leadership.stop()
        await self.kill(name)

    async def beat(self, *names: str, times: int = 1) -> None:
        """Time goes by, and these beat; without names all do."""
        for _ in range(times):
            self.clock.turn(BEAT_EVERY)
            for name in names or list(self.running):
                await self.running[name][0].leadership.beat()

    def leaders(self) -> list[str]:
        """Those that believe that they lead."""
        return [name for name, (parts, _) in self.running.items() if parts.leadership.leads]


@contextlib.asynccontextmanager
async def several_managers(folder: Path, **limits: Any) -> AsyncIterator[Managers]:
    """None runs yet. In the end those that run are killed."""
    managers = Managers(folder, limits)
    try:
        yield managers
    finally:
        for name in list(managers.running):
            await managers.kill(name)


async def lease(parts: Parts) -> LeaderRow:
    """The lease as the database has it."""
    return await parts.database.read(gateways.leader)


def set_lease(tx: Transaction, row: LeaderRow) -> None:
    """Replaces the lease, as a failover to a server that lacks the newest transactions does."""
    tx.execute(
        "UPDATE leader SET gateway = ?, epoch = ?, renewals = ?",
        (row.gateway, row.epoch, row.renewals),
    )
