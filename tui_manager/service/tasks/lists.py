"""Windows onto tasks, command hosts and the audit; those with a filter go on where they were."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.task import CommandHost, Task
from tui_manager.domain.window import Page, Window
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import audit, tasks
from tui_manager.storage.views import command_host_list, task_list
from tui_manager.storage.views.command_host_list import CommandHostScan
from tui_manager.storage.views.scanning import Scan

S = TypeVar("S", bound=Scan[Any])
Row = TypeVar("Row")
_KEPT = 8  # scans, of at most 8 MB for each million rows that pass
_KEPT_FOR = 60.0  # seconds without a question


@dataclass(slots=True)
class _Kept:
    scan: Any
    asked_at: float
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lists:
    """Long lists by windows, each at a bounded cost."""

    def __init__(self, database: Database, feed: ChangeFeed, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._changes = feed.folded()
        self._scans: dict[Hashable, _Kept] = {}

    async def tasks(self, window: Window) -> Page[Task]:
        """Tasks, the newest first. `text` is looked for in name, target, status and id."""
        if not window.text and not window.faults_only:
            return await self._database.read(lambda tx: task_list.window(tx, window))
        key = ("tasks", window.text, window.faults_only)
        return await self._scanned(
            key,
            lambda: task_list.scan(window),
            lambda tx, scan: task_list.scanned(tx, scan, window),
        )

    async def command_hosts(
        self, task_id: int, window: Window, command: int | None
    ) -> Page[CommandHost]:
        """Command hosts of a task in the order of attention, or of hosts; of all its commands, or
        of one. `text` is looked for in host name, status and reason.

        Raises:
            NotFoundError: there is no such task.
        """

        def plain(tx: Transaction) -> Page[CommandHost]:
            total = tasks.get(tx, task_id).counts.total
            return command_host_list.window(tx, task_id, window, command, total)

        def scanned(tx: Transaction, scan: CommandHostScan) -> Page[CommandHost]:
            total = tasks.get(tx, task_id).counts.total
            return command_host_list.scanned(tx, scan, window, total)

        if not window.text:
            return await self._database.read(plain)
        key = (task_id, command, replace(window, offset=0, limit=0))
        return await self._scanned(key, lambda: CommandHostScan(task_id, window, command), scanned)

    async def audit(self, window: Window) -> Page[AuditEntry]:
        """Who did what to which, the newest first."""
        if not audit.needs_scan(window):
            return await self._database.read(lambda tx: audit.window(tx, window))
        return await self._scanned(
            ("audit", window.text, window.faults_only),
            lambda: audit.scan(window),
            lambda tx, scan: audit.scanned(tx, scan, window),
        )

    async def _scanned(
        self, key: Hashable, begin: Callable[[], S], read: Callable[[Transaction, S], Page[Row]]
    ) -> Page[Row]:
        self._forget()
        now = self._clock.monotonic()
        kept = self._scans.pop(key, None) or _Kept(begin(), now)
        self._scans[key], kept.asked_at = kept, now  # behind the others
        while len(self._scans) > _KEPT:
            del self._scans[next(iter(self._scans))]
        async with kept.one_at_a_time:
            return await self._database.read(lambda tx: read(tx, kept.scan))

    def _forget(self) -> None:
        """Scans that what changed has made useless, and those that nobody asks for any more."""
        changes, oldest = self._changes.take(), self._clock.monotonic() - _KEPT_FOR
        for key, kept in list(self._scans.items()):
            if not kept.scan.survives(changes) or kept.asked_at < oldest:
                del self._scans[key]
