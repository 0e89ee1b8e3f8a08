"""Windows onto tasks, command hosts and the audit. A filtered list continues where its last window
ended."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import field, replace
from typing import Any, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_by_target import COMMAND_HOST_KEYS, read_host_terms
from tui_manager.domain.lists.filter_language import parse_filter
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter, narrow
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.tasks.task import CommandHost, Task
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_search import matching_hosts
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import tasks
from tui_manager.storage.views import audit_list, command_host_list, task_list
from tui_manager.storage.views.command_host_list import CommandHostScan
from tui_manager.storage.views.filtered_scan import Scan
from tui_manager.storage.views.task_list import FilterLookup, TaskPlaces

AnyScan = TypeVar("AnyScan", bound=Scan[Any])
Row = TypeVar("Row")
_SCANS_MAX = 8  # cached; each has at most 16 MB for a million rows that pass
_UNUSED_MAX = 60.0  # seconds after which an unused scan is dropped


@dataclass(slots=True)
class _CachedScan:
    scan: Any
    used_at: float
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class ListWindows:
    """Windows onto long lists, each at a bounded cost."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._database = core.database
        self._clock = core.clock
        self._changes = core.feed.subscribe()
        self._scans: dict[Hashable, _CachedScan] = {}
        self._places = TaskPlaces()

    async def tasks(self, window: Window, given: TaskFilter = ALL_TASKS) -> Page[Task]:
        """Tasks, the newest first unless the window names a column.

        Raises:
            InvalidInputError: the filter is wrong, or there is no host as it wants.
        """
        wanted, terms = narrow(given, parse_filter(window.text), self._clock.now())
        if not task_list.needs_scan(window, wanted, terms):
            return await self._database.read(
                lambda tx: task_list.window(tx, window, wanted, self._places)
            )
        found = await self._look_up(wanted, by_text=wanted.host != given.host)
        return await self._scanned(
            ("tasks", replace(window, offset=0, limit=0), wanted, found),
            lambda: task_list.scan(window, wanted, terms, found),
            lambda tx, scan: task_list.scanned(tx, scan, window),
        )

    async def _look_up(self, wanted: TaskFilter, *, by_text: bool) -> FilterLookup:
        """See `task_list.look_up`. An error names the text if the host came from there."""
        try:
            return await self._database.read(lambda tx: task_list.look_up(tx, wanted))
        except InvalidInputError as error:
            raise InvalidInputError("text", str(error)) if by_text else error from None

    async def command_hosts(
        self, task_id: int, window: Window, command: int | None
    ) -> Page[CommandHost]:
        """Command hosts of a task, of all commands or of one, in the order of attention or of
        hosts.

        Raises:
            NotFoundError: there is no such task.
            InvalidInputError: the filter is wrong.
        """

        def plain(tx: Transaction) -> Page[CommandHost]:
            total = tasks.get(tx, task_id).counts.total
            return command_host_list.window(tx, task_id, window, command, total)

        def scanned(tx: Transaction, scan: CommandHostScan) -> Page[CommandHost]:
            total = tasks.get(tx, task_id).counts.total
            return command_host_list.scanned(tx, scan, window, total)

        if not window.text:
            return self._with_connections(await self._database.read(plain))
        terms = read_host_terms(window.text, COMMAND_HOST_KEYS, self._core.limits.groups)
        hosts = await matching_hosts(self._core, terms)
        key = (task_id, command, replace(window, offset=0, limit=0), hosts)
        passes = command_host_list.passes(terms.own, hosts)
        found = await self._scanned(
            key, lambda: CommandHostScan(task_id, window, command, passes), scanned
        )
        return self._with_connections(found)

    def _with_connections(self, page: Page[CommandHost]) -> Page[CommandHost]:
        """With what is known of the connections of hosts only: waits, and progress of transfers."""
        directory = self._core.directory
        rows = map(directory.without_wait_if_online, page.rows)
        return replace(page, rows=list(map(directory.with_progress, rows)))

    async def audit(self, window: Window) -> Page[AuditEntry]:
        """Who did what to whom, the newest first.

        Raises:
            InvalidInputError: the filter is wrong.
        """
        if not audit_list.needs_scan(window):
            return await self._database.read(lambda tx: audit_list.window(tx, window))
        return await self._scanned(
            ("audit", window.text, window.faults_only),
            lambda: audit_list.scan(window),
            lambda tx, scan: audit_list.scanned(tx, scan, window),
        )

    async def _scanned(
        self,
        key: Hashable,
        begin: Callable[[], AnyScan],
        read: Callable[[Transaction, AnyScan], Page[Row]],
    ) -> Page[Row]:
        self._drop_scans()
        now = self._clock.monotonic()
        cached = self._scans.pop(key, None) or _CachedScan(begin(), now)
        self._scans[key], cached.used_at = cached, now  # as the newest
        while len(self._scans) > _SCANS_MAX:
            del self._scans[next(iter(self._scans))]
        async with cached.one_at_a_time:
            return await self._database.read(lambda tx: read(tx, cached.scan))

    def _drop_scans(self) -> None:
        """Drops scans that a change has made useless, and scans that nobody uses any more."""
        changes, oldest = self._changes.take(), self._clock.monotonic() - _UNUSED_MAX
        for key, cached in list(self._scans.items()):
            if not cached.scan.accept_changes(changes) or cached.used_at < oldest:
                del self._scans[key]
