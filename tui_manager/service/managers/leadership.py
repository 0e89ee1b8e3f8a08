"""Leadership: this manager among those of its database. It writes its own beats, watches those of
the others, and leads if no other manager does.

The right to lead is a row of the database, which each transaction of the leader locks and checks
(`transaction.leads`). What is kept here is only what this manager believes, so that it does not try
in vain.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

import tui_manager
from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import Gateway, ManagerGroup, figures_text, read_figures
from tui_manager.service.core.core import Core, NotLeadingError
from tui_manager.service.core.server_time import Reading, ServerTime
from tui_manager.service.managers.lease_rules import (
    ALIVE_FOR,
    BEAT_EVERY,
    LEASE,
    Observed,
    is_alive,
    is_dead,
    may_take_over,
)
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import gateways
from tui_manager.storage.tables.manager.gateways import GatewayRow, LeaderRow

log = logging.getLogger(__name__)
_VITALS_EVERY = 10.0  # seconds
_LOOK_EVERY = 1.0  # seconds between two looks at a beat that waits for the database


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a beat has found.

    Attributes:
        missed: others had taken this manager for dead.
    """

    missed: bool
    renewed: bool
    rows: list[GatewayRow]
    lease: LeaderRow
    time: Reading


class Leadership:
    """With SQLite the manager leads, and nothing of this runs. `begin` comes first.

    Attributes:
        address: of this manager for agents; the others learn it with the next beat.
        managers: how all managers stand. It is never changed, but replaced.
        leading, following: events that say whether this manager leads.
        vitals: gives the packed vitals of this manager's hosts.
        on_change: called after a manager has come, gone, started again, or got another address, or
            another one leads.
        on_missed: called after others have taken this manager for dead, in error.
    """

    def __init__(self, core: Core, server_time: ServerTime, name: str = "") -> None:
        """
        Args:
            name: what operators know this manager by; empty: the name of its machine.
        """
        self._core = core
        self._database, self._clock = core.database, core.clock
        self._number = core.database.gateway
        self._server_time = server_time
        self._name = name or socket.gethostname()
        self.address = ""
        self.managers = ManagerGroup(self._number)
        self.leading, self.following = asyncio.Event(), asyncio.Event()
        self.vitals: Callable[[], str] | None = None
        self.on_change: list[Callable[[ManagerGroup], None]] = []
        self.on_missed: Callable[[], None] = lambda: None
        self._beats: dict[int, Observed] = {}  # by the number of a manager
        self._renewals = Observed()
        self._looked_at = self._renewed_at = core.clock.monotonic()
        self._vitals_at: float | None = None
        self._out_of_reach = False
        self._set_leads(leads=not core.database.shared or core.database.epoch is not None)

    @property
    def leads(self) -> bool:
        """Whether this manager believes that it leads."""
        return self.leading.is_set()

    @property
    def epoch(self) -> int | None:
        """The epoch with which this manager believes that it leads the others; None: it does not
        lead, or there can be no others. Each time that it begins to lead, it has another one."""
        return self._database.epoch

    @property
    def known_managers(self) -> ManagerGroup:
        """How all managers stand, for operators. If this manager has not reached the database for
        `ALIVE_FOR`, it knows nothing of the others."""
        silent = self._clock.monotonic() - self._looked_at >= ALIVE_FOR
        away = self._out_of_reach or self._database.problem
        return self.managers.without_others() if silent and away else self.managers

    def _set_leads(self, *, leads: bool) -> None:
        now, before = (self.leading, self.following) if leads else (self.following, self.leading)
        now.set()
        before.clear()

    async def begin(self) -> None:
        """This manager starts. If nobody leads, it leads when this returns. Raises StorageError."""
        if not self._database.shared:
            return
        name, version = self._name, tui_manager.__version__
        now = self._clock.stamp()
        await self._database.write(lambda tx: gateways.begin(tx, self._number, name, version, now))
        await self.beat()

    async def tell_address(self, address: str) -> None:
        """This manager can be dialed at this address. Raises StorageError."""
        self.address = address
        if self._database.shared:
            await self.beat()

    async def run(self) -> None:
        """Beats until cancelled."""
        if not self._database.shared:
            return
        while True:
            began = self._clock.monotonic()
            await self._beat_in_time()
            elapsed = self._clock.monotonic() - began
            await asyncio.sleep(max(_LOOK_EVERY, BEAT_EVERY - elapsed))

    async def _beat_in_time(self) -> None:
        """One beat. While it waits for a database that is out of reach, the lease ends."""
        beating = asyncio.create_task(self.beat(), name="beat")
        try:
            while not beating.done():
                await asyncio.wait([beating], timeout=_LOOK_EVERY)
                self.end_lease_if_over()
            beating.result()
            self._out_of_reach = False
        except StorageError as error:
            if not self._out_of_reach:
                log.error("this manager cannot beat", extra={"error": str(error)})
            self._out_of_reach = True
            self.end_lease_if_over()
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    def end_lease_if_over(self) -> None:
        """Ends the leadership of this manager if it has not reached the database for the time of
        the lease: another manager may lead by now. A beat that only waits behind other writes does
        not end it."""
        since = self._clock.monotonic() - self._renewed_at
        if self.leads and since > LEASE and (self._out_of_reach or self._database.problem):
            self.lose(f"the database was out of reach for {since:.0f} s")

    async def beat(self) -> None:
        """Tells the others that this manager runs, and looks at them. Takes over if nobody leads.

        Raises:
            StorageError: the database cannot be written now.
        """
        began = self._clock.monotonic()
        figures = figures_text(self._core.statistics.health, self._clock.now())
        vitals = self._due_vitals(began)
        seen = await self._database.write(lambda tx: self._beat(tx, figures, vitals))
        self._server_time.take(seen.time)
        went_back = seen.renewed and self._has_gone_back(seen.lease)
        self._observe(seen, began - self._looked_at)
        self._looked_at = began
        if self.leads and seen.renewed and not went_back:
            self._renewed_at = began
        elif self.leads:  # after a failover, what the loops remember may not be in the database
            self.lose("the database has gone back" if went_back else "another manager leads")
        if not self.leads and may_take_over(self._number, seen.lease, self._renewals):
            seen = await self._take_over(seen, began)
        self._update_managers(seen)
        if seen.missed:
            log.warning("this manager was not heard, and its hosts count as offline")
            self.on_missed()
        await self._miss_dead(seen.rows)

    def heard_at(self) -> Mapping[int, float]:
        """When each manager was heard last, in monotonic seconds, by its number. Time in which this
        one could hear nobody is not counted."""
        return {number: self._looked_at - beats.unchanged for number, beats in self._beats.items()}

    def _due_vitals(self, now: float) -> str | None:
        """The vitals that are to be stored now, for the others; None: none."""
        nobody = not any(one.alive and one.number != self._number for one in self.managers.gateways)
        if self.vitals is None or nobody:
            return None
        if self._vitals_at is not None and now - self._vitals_at < _VITALS_EVERY:
            return None
        self._vitals_at = now
        return self.vitals()

    def _beat(self, tx: Transaction, figures: str, vitals: str | None) -> _Seen:
        missed = gateways.store_heartbeat(tx, self._number, self.address, figures, vitals)
        renewed = gateways.renew(tx, self._number)
        time = self._server_time.read(tx)
        rows = [row for row in gateways.all_gateways(tx) if row.runs]  # others were refused
        return _Seen(missed, renewed, rows, gateways.leader(tx), time)

    def _has_gone_back(self, lease: LeaderRow) -> bool:
        """Whether the database has gone back in time: the lease was just renewed, and has no more
        renewals than before."""
        before = self._renewals.value
        if not isinstance(before, LeaderRow) or before.epoch != lease.epoch:
            return False
        return lease.renewals <= before.renewals

    def _observe(self, seen: _Seen, elapsed: float) -> None:
        for row in seen.rows:
            self._beats.setdefault(row.number, Observed()).note(row.beats, elapsed)
        self._renewals.note(seen.lease, elapsed)

    async def _take_over(self, seen: _Seen, began: float) -> _Seen:
        """Tries to lead; returns what is known then."""
        before = seen.lease
        lease = await self._database.write(lambda tx: gateways.take_over(tx, self._number, before))
        if lease is None:
            return seen
        log.warning(
            "this manager leads", extra={"epoch": lease.epoch, "leader_before": before.gateway}
        )
        self._renewed_at = began
        self._database.lead(lease.epoch)
        self._set_leads(leads=True)
        return replace(seen, renewed=True, lease=lease)

    def lose(self, reason: str) -> None:
        """This manager does not lead any more."""
        if self.leads and self._database.shared:
            log.warning("this manager does not lead any more", extra={"reason": reason})
            self._do_not_lead()
            self._core.feed.publish(Changes(manager=True))

    def _do_not_lead(self) -> None:
        self._database.lead(None)
        self._set_leads(leads=False)
        self.managers = self.managers.without_leader()

    def _update_managers(self, seen: _Seen) -> None:
        before, self.managers = self.managers, self._managers_of(seen)
        if _who(before) != _who(self.managers):
            for on_change in self.on_change:
                on_change(self.managers)
            self._core.feed.publish(Changes(hosts=True, manager=True))

    def _managers_of(self, seen: _Seen) -> ManagerGroup:
        leader = self._number if self.leads else seen.lease.gateway
        own = self._number
        found = []
        for row in seen.rows:
            health, at = read_figures(row.figures)
            alive = row.number == own or is_alive(row, self._beats[row.number])
            found.append(
                Gateway(
                    number=row.number,
                    name=row.name,
                    address=row.address,
                    version=row.version,
                    started_at=row.started_at,
                    leads=row.number == leader and (row.number != own or self.leads),
                    alive=alive,
                    stopped=row.stopped_at is not None,
                    last_seen=at,
                    health=health,
                    runs=row.runs,
                )
            )
        return ManagerGroup(own, tuple(found))

    async def _miss_dead(self, rows: list[GatewayRow]) -> None:
        """Hosts of managers that do not run go offline."""
        for row in rows:
            other = row.number != self._number
            if other and self.leads and is_dead(row, self._beats[row.number]):
                await self._declare_dead(row)

    async def _declare_dead(self, row: GatewayRow) -> None:
        now = self._clock.stamp()
        try:
            hosts = await self._core.plan(
                lambda tx: gateways.declare_dead(tx, row.number, row.beats, now)
            )
        except NotLeadingError:
            self.lose("another manager leads")
            return
        if hosts is None:
            return
        extra = {"manager": row.name, "number": row.number, "hosts": len(hosts)}
        log.warning("a manager was not heard, or has stopped: its hosts are offline", extra=extra)
        self._core.feed.publish(Changes(hosts=True, manager=True))

    async def stop(self) -> None:
        """This manager stops: another one may lead at once."""
        if self._database.shared:
            self._do_not_lead()
        await leave(self._database, self._clock.stamp())


async def leave(database: Database, now: int) -> None:
    """Lets another manager lead, and says that this one has stopped.

    Args:
        now: microseconds since 1970 UTC.
    """
    if not database.shared:
        return

    def work(tx: Transaction) -> None:
        gateways.release(tx, database.gateway)
        gateways.stop(tx, database.gateway, now)

    try:
        await database.write(work)
    except StorageError as error:
        log.warning("the others notice later that it stops", extra={"error": str(error)})


def _state(one: Gateway) -> tuple[bool, ...]:
    return one.alive, one.leads, one.stopped


def _who(managers: ManagerGroup) -> object:
    """What the other managers are told of each manager. Its figures are left out, because they
    change with each beat."""
    return [
        (one.number, one.runs, one.name, one.address, one.version, *_state(one))
        for one in managers.gateways
    ]
