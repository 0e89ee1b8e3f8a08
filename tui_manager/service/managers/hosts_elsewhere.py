"""HostsElsewhere: updates the directory from the database, which other managers change too, and
applies their decisions to the sessions of this manager."""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from tui_manager.domain.errors import Refusal, StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.service.core.change_feed import EVERYTHING
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.dispatch.task_dispatcher import SessionControl
from tui_manager.service.managers.log_storage_error import log_storage_error
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts.hosts import HostRow

log = logging.getLogger(__name__)
_LOOK_EVERY = 1.0  # seconds
_HOSTS_A_TURN = 500  # then the loop does other work
_MEMBERS = (Admission.PENDING, Admission.ADMITTED)


class HostsElsewhere:
    """Follows the rows of hosts that have changed since the last look.

    After the database was out of reach, all of them are read again: it may be another server now,
    which lacks what other managers had stored.
    """

    def __init__(self, core: Core, dispatch: DispatchLoop, sessions: SessionControl) -> None:
        self._core = core
        self._directory = core.directory
        self._dispatch = dispatch
        self._sessions = sessions
        self._one_look = asyncio.Lock()
        self._was_missed = False
        self._reconnects = core.database.reconnects  # as of the last look at all hosts

    async def run(self) -> None:
        """Does until cancelled what this manager has to do although nobody tells it."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self.look_if_due()
                await self.give_up_expected()
            except StorageError as error:
                log_storage_error(log, self._core, "hosts are not followed", error)

    def note_missed(self) -> None:
        """This manager was taken for dead in error, and its hosts count as offline."""
        self._was_missed = True

    async def look_if_due(self) -> None:
        """Looks if what the database says of the hosts here may be wrong, or what is known here of
        those elsewhere. Raises StorageError."""
        if self._was_missed or self._reconnects != self._core.database.reconnects:
            await self.run_once()

    async def give_up_expected(self) -> None:
        """Hosts of this manager that have not come back after its start are offline. Until then
        others count them as online. Raises StorageError."""
        not_back = [
            entry
            for entry in self._directory.expected.not_back(self._core.clock.monotonic())
            if entry.row.gateway == self._directory.gateway
        ]
        if not_back:
            found = [(entry.row.row_id, entry.row.generation) for entry in not_back]
            await self._core.database.write(lambda tx: hosts.set_offline(tx, found))
            self._core.feed.publish(Changes(hosts=True))
            if self._core.database.epoch is None:  # else `HostTimeouts` goes on with them
                self._directory.expected.remove(not_back)

    async def run_once(self) -> None:
        """Reads the rows that have changed. Raises StorageError."""
        async with self._one_look:  # what was read first is not taken last
            await self._look()

    async def _look(self) -> None:
        database, directory = self._core.database, self._directory
        reconnects, own = database.reconnects, directory.take_own()
        was_missed, self._was_missed = self._was_missed, False
        anew = reconnects != self._reconnects
        known = [entry.row.host_id for entry in directory] if anew else []
        since = 0 if anew else directory.seen
        try:
            rows, seen = await database.read(lambda tx: hosts.changed_since(tx, since, own))
            for number, row in enumerate(rows, start=1):
                self._follow(row, anew=anew)
                if number % _HOSTS_A_TURN == 0:
                    await asyncio.sleep(0)
            await self._correct_offline(rows)
        except StorageError:  # the next look does all of it
            directory.give_back_own(own)
            self._was_missed |= was_missed
            raise
        directory.seen, self._reconnects = seen, reconnects
        if anew:
            self._forget_lost(known, rows)
            log.info("all hosts were read again", extra={"hosts": len(rows)})
            self._core.feed.publish(EVERYTHING)

    def _forget_lost(self, known: Iterable[str], rows: Sequence[HostRow]) -> None:
        """Hosts that were known before are not stored any more: another manager had added them, and
        that is lost."""
        for host_id in set(known).difference(row.host_id for row in rows):
            if entry := self._directory.get(host_id):
                log.warning("a host is not stored any more", extra={"host": entry.row.name})
                if entry.session:
                    self._sessions.end_replaced(host_id, entry.session.generation)
                self._directory.remove(host_id)

    def _follow(self, row: HostRow, *, anew: bool) -> None:
        if row.removed:
            self._remove(row)
            return
        clock, before = self._core.clock, self._directory.get(row.host_id)
        admission = before.row.admission if before else row.admission
        generation = before.row.generation if before and before.elsewhere else -1
        follow = self._directory.restore if anew else self._directory.follow
        ended = follow(row, clock.now(), clock.monotonic())
        if ended:
            fields = {"host": row.name, "session": ended.generation, "gateway": row.gateway}
            moved = row.gateway != self._directory.gateway
            lost = "session is not stored any more"
            log.info("agent has connected to another manager" if moved else lost, extra=fields)
            self._sessions.end_replaced(row.host_id, ended.generation)
            self._core.requests.send([row.row_id])  # what this manager has claimed for it in vain
        entry = self._directory.get(row.host_id)
        if entry and entry.elsewhere and row.generation > generation:
            self._core.violations.recent_refusals.forget(row.name)
        if entry and entry.session and row.admission is not admission:
            self._tell_admission(row)

    def _tell_admission(self, row: HostRow) -> None:
        """An operator has decided, at another manager, about a host that is connected here."""
        if row.admission in _MEMBERS:
            self._sessions.tell_admission(row.host_id, row.admission)
            self._dispatch.wake([row.host_id])
        else:
            why = f"An operator has {row.admission} this host ({row.name})."
            self._sessions.turn_away(row.host_id, Refusal(row.admission.value), why)

    def _remove(self, row: HostRow) -> None:
        entry = self._directory.get(row.host_id)
        if entry is None:
            return
        if entry.session:  # it has connected while it was removed
            why = f"An operator has removed this host ({row.name})."
            self._sessions.turn_away(row.host_id, Refusal.REVOKED, why)
        self._directory.remove(row.host_id)
        self._core.violations.forget(row.name)

    async def _correct_offline(self, rows: Sequence[HostRow]) -> None:
        """Hosts of this manager may count as offline because it was not heard for a while."""
        entries = (self._directory.get(row.host_id) for row in rows if not row.online)
        found = [
            (entry.row.row_id, entry.row.generation)
            for entry in entries
            if entry and self._is_here(entry)
        ]
        if found:
            gateway, stamp = self._core.database.gateway, self._core.clock.stamp()
            await self._core.database.write(lambda tx: hosts.set_online(tx, gateway, found, stamp))
            log.warning("hosts counted as offline, and are online", extra={"hosts": len(found)})
            self._core.feed.publish(Changes(hosts=True))

    def _is_here(self, entry: HostEntry) -> bool:
        row, session = entry.row, entry.session_of(entry.row.generation)
        return session is not None and row.gateway == self._directory.gateway and not row.online
