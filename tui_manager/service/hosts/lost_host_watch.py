"""LostHostWatch: which hosts were silent for longer than `lost_after`, whether they had work or
not. It is stored, so that a loss and a return are reported once, also if the manager restarts in
between."""

import logging
from collections.abc import Callable

from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.service.hosts.host_scan_times import HostScanTimes
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.manager import notifications

log = logging.getLogger(__name__)
_NAMED = 20  # hosts in one line of the log


class LostHostWatch:
    """Looks while this manager leads."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._directory = core.directory
        self._lost_after = core.limits.lost_after.total_seconds()
        self._scan_times = HostScanTimes(core.directory, self._lost_after)
        self._lost: set[int] | None = None  # row ids; None: not loaded

    def forget(self) -> None:
        """Another manager may have led meanwhile: what is stored is read again."""
        self._lost = None
        self._scan_times.forget()

    async def run_once(self) -> None:
        """Stores which hosts are lost, and which are back.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be used now; the next look finds the same.
        """
        if self._lost is None:
            self._lost = await self._core.database.read(notifications.lost_hosts)
        monotonic, changes = self._core.clock.monotonic(), self._directory.changes
        if not self._scan_times.is_due(monotonic):
            return
        known = self._lost = await self._store_changes(self._lost)
        left = (
            entry
            for entry in self._directory
            if not entry.online
            and entry.row.row_id not in known
            and entry.row.admission is Admission.ADMITTED
            and entry.row.maintenance is None
        )
        self._scan_times.scan_ended(changes, monotonic, left)

    async def _store_changes(self, known: set[int]) -> set[int]:
        """Finds which hosts are lost and which are back, stores that, and returns all that are
        lost. `known` were lost before."""
        members = self._those(known, lambda entry: entry.row.admission is Admission.ADMITTED)
        back, gone = self._those(members, lambda entry: entry.online), known - members
        lost = self._newly_lost(known)
        if not (lost or back or gone):
            return known
        now = self._core.clock.stamp()

        def work(tx: Transaction) -> set[int]:
            sessions = [(entry.row.row_id, entry.row.generation) for entry in lost]
            away = hosts.lock_away(tx, sessions, self._directory.alive) if lost else set()
            notifications.mark_lost(tx, away, now)
            notifications.find_hosts(tx, back, now, back=True)
            notifications.find_hosts(tx, gone, now, back=False)
            return set(away)

        away = await self._core.plan(work)
        self._tell("hosts are lost", away)
        self._tell("hosts are back", back)
        return (known | away) - back - gone

    def _those(self, row_ids: set[int], wanted: Callable[[HostEntry], bool]) -> set[int]:
        entries = map(self._directory.find_row, row_ids)
        return {entry.row.row_id for entry in entries if entry and wanted(entry)}

    def _newly_lost(self, known: set[int]) -> list[HostEntry]:
        """An operator knows of a host that is in maintenance."""
        limit, now = self._core.clock.monotonic() - self._lost_after, self._core.clock.now()
        return [
            entry
            for entry in self._directory
            if entry.session is None  # of most it is not
            and entry.silent_since <= limit
            and entry.away
            and entry.row.row_id not in known
            and entry.row.admission is Admission.ADMITTED
            and entry.maintenance(now) is None
        ]

    def _tell(self, what: str, row_ids: set[int]) -> None:
        if not row_ids:
            return
        entries = map(self._directory.find_row, row_ids)
        names = sorted(entry.row.name for entry in entries if entry)
        log.warning(what, extra={"count": len(row_ids), "hosts": " ".join(names[:_NAMED])})
        self._core.feed.publish(Changes(manager=True))
