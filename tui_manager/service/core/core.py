"""Core, which every service gets. Also: how the leader plans, and how a service runs an action to
its end."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import field
from typing import Any, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.command_log import CommandLog
from tui_manager.service.core.gateway_requests import GatewayRequests
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.refusals_and_violations import RefusalsAndViolations
from tui_manager.service.core.statistics import Statistics
from tui_manager.service.limits import Limits
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.transaction import Transaction, leads
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.manager import gateways, manager_state
from tui_manager.storage.tables.tasks import command_hosts

T = TypeVar("T")


class NotLeadingError(Exception):
    """Another manager of the database leads, or none does: this one must not plan. Nothing was
    changed."""


@dataclass(frozen=True, slots=True)
class Core:
    """What most services need. There is one in a manager.

    A part belongs here if several packages use it and if it knows no service. What a service needs
    of another service is an argument of its own.

    Attributes:
        manager_id: of this manager.
        directory: all hosts and their sessions, in memory.
        feed: tells watchers what has changed.
        violations: records what agents do against the rules.
        requests: what other managers on the database are to do for this one.
        command_log: the log lines on single commands.
    """

    manager_id: str
    database: Database
    limits: Limits
    clock: Clock
    directory: Directory
    feed: ChangeFeed
    statistics: Statistics
    violations: RefusalsAndViolations
    requests: GatewayRequests = field(default_factory=GatewayRequests)
    command_log: CommandLog = field(default_factory=CommandLog)

    async def plan(self, work: Callable[[Transaction], T]) -> T:
        """Runs a unit of work that only the leader may do.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be written now; nothing of `work` was kept.
        """

        def guarded(tx: Transaction) -> T:
            if not leads(tx):
                raise NotLeadingError("This manager does not lead.")
            return work(tx)

        return await self.database.write(guarded)


async def load_core(
    database: Database, limits: Limits, clock: Clock, feed: ChangeFeed, statistics: Statistics
) -> Core:
    """Makes Core, with all stored hosts in its directory."""
    manager_id = await database.write(lambda tx: manager_state.manager_id(tx, clock.stamp()))
    with_work = await database.read(command_hosts.hosts_with_work)
    directory = Directory(database.gateway, await _runs_of_others(database))
    rows, directory.seen = await database.read(lambda tx: hosts.changed_since(tx, 0))
    stored = [row for row in rows if not row.removed]
    directory.load(stored, clock.monotonic(), set(with_work))
    return Core(
        manager_id=manager_id,
        database=database,
        limits=limits,
        clock=clock,
        directory=directory,
        feed=feed,
        statistics=statistics,
        violations=RefusalsAndViolations(database, feed, statistics, clock),
    )


async def _runs_of_others(database: Database) -> dict[int, int]:
    """How often the other managers have started that run, as far as the database knows, by their
    numbers. One that has died a moment ago is found by its beats."""
    if not database.shared:
        return {}
    known = await database.read(gateways.all_gateways)
    runs = (one for one in known if one.stopped_at is None and one.presumed_dead_at is None)
    return {one.number: one.runs for one in runs if one.number != database.gateway}


async def run_to_completion(act: Coroutine[Any, Any, T]) -> T:
    """Runs `act` to its end, also if its caller is cancelled meanwhile. The caller is cancelled
    after that: what follows a commit is never left out."""
    acting = asyncio.ensure_future(act)
    try:
        return await asyncio.shield(acting)
    except asyncio.CancelledError:
        await asyncio.wait([acting])
        if not acting.cancelled():
            acting.exception()  # read, so that asyncio does not log it: the caller has gone
        raise
