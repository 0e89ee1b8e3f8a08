"""The clocks of the manager, and whether the wall clock may decide what cannot be undone.

ClockWatch compares the wall clock with the boot-time clock, which nobody sets and which goes on
while the machine sleeps, and at a start with the time that was stored last.

Several managers of one database go by the clock of its server, and all of them see it jump. So
there is one stored time, and the leader alone stores it, each jump once. The others keep a jump in
memory until they lead, or find that the leader has stored it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.manager_status import UntrustedClock
from tui_manager.domain.manager.notification import Event
from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction, leads
from tui_manager.storage.tables.manager import audit, manager_state, notifications
from tui_manager.storage.tables.manager.manager_state import ClockJump, ClockRow

log = logging.getLogger(__name__)
_SECOND = 1_000_000  # microseconds; ClockWatch counts in microseconds
JUMP_MIN = 60 * _SECOND  # against the boot-time clock
START_GAP_MAX = 24 * 3600 * _SECOND  # from the stored time, at a start
TRUST_AFTER = 24 * 3600.0  # seconds of running after which any clock is trusted
_DRIFT = 0.001  # of the time that goes by: more than slewing changes a clock, less than a jump
_LOOK_EVERY = 1.0  # seconds
_STORE_EVERY = 60.0  # seconds
_STORED_AGE_MAX = 120 * _SECOND  # how old the stored time may be when the manager ends
_LEARN_EVERY = 5.0  # seconds between two looks at what another manager stored
_APART_MAX = 10 * _SECOND  # between the times at which two managers have seen the same jump
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: goes on in sleep too


def _now() -> datetime:
    return datetime.now(UTC)


def _boottime() -> float:
    return time.clock_gettime(_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Clock:
    """Three clocks: `now` for what is stored and shown, `monotonic` (seconds) for durations,
    `boottime` (seconds), which goes on while the machine sleeps, to check `now`."""

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    boottime: Callable[[], float] = _boottime

    def stamp(self) -> int:
        """Now, in microseconds since 1970 UTC, as the database stores it."""
        return from_datetime(self.now())


class ClockWatch:
    """Follows the wall clock while the manager runs. `begin` comes first.

    Attributes:
        jumps_seen: jumps while the manager runs.
    """

    def __init__(self, database: Database, clock: Clock, feed: ChangeFeed) -> None:
        self._database = database
        self._clock = clock
        self._feed = feed
        self.jumps_seen = 0
        self.trusted_again = asyncio.Event()  # whoever waits for it clears it
        self._looked_at = self._boot()
        self._offset = clock.stamp() - self._looked_at  # wall clock minus boot-time clock
        self._trusted = self._offset  # what the offset should be, by what was seen in this run
        # What the offset should be by the stored time, if the manager started far from that.
        self._trusted_at_start: int | None = None
        self._since = clock.stamp()
        self._waits_from = clock.monotonic()
        self._was_waiting = False
        self._jumps: list[ClockJump] = []  # not stored yet
        self._stored: ClockRow | None = None  # as this manager has last read or written it
        self._learned_at = self._waits_from

    async def begin(self) -> None:
        """Compares the clock with the stored time. Raises StorageError."""
        self._stored = await self._database.read(manager_state.stored_clock)
        if self._stored is not None:
            self._compare(self._stored)
        await self._store()
        self._publish_change()

    def _compare(self, row: ClockRow) -> None:
        now, boot = self._clock.stamp(), self._boot()
        as_trusted = abs(now - row.trusted_at) <= START_GAP_MAX
        as_shown = abs(now - row.shown_at) <= START_GAP_MAX
        if not as_trusted:
            self._trusted_at_start = row.trusted_at - boot
        if as_shown:
            self._since = row.since
            self._waits_from = self._clock.monotonic() - row.waited / _SECOND
            return
        by = (row.trusted_at if as_trusted else now) - row.shown_at
        self._jumps.append(ClockJump(row.since, row.shown_at + _STORED_AGE_MAX, by, not as_trusted))

    def now(self) -> datetime:
        """What the wall clock shows."""
        return self._clock.now()

    def may_act(self) -> bool:
        """Whether the wall clock has not jumped in this run: what is due by it may be done."""
        self._look()
        return not self._has_jumped()

    async def may_prune(self) -> bool:
        """Whether history may be removed now; all jumps are stored then. Raises StorageError."""
        await self.run_once()
        return not self._waits()

    async def run_once(self) -> None:
        """Looks at the clock. When this returns, jumps are stored and deadlines are moved, if this
        manager leads.

        Raises:
            StorageError: the database cannot be written now.
        """
        self._look()
        if self._jumps and self._may_lead():
            await self._store()

    @property
    def untrusted(self) -> UntrustedClock | None:
        """What is wrong with the clock; None if it is trusted."""
        if not self._waits():
            return None
        trusted = self._trusted if self._trusted_at_start is None else self._trusted_at_start
        left = TRUST_AFTER - (self._clock.monotonic() - self._waits_from)
        return UntrustedClock(
            ahead=timedelta(microseconds=self._offset - trusted),
            jumped=self._has_jumped(),
            waits=timedelta(seconds=max(0.0, left)),
        )

    async def run(self) -> None:
        """Looks and stores until cancelled."""
        stored_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self.run_once()
                await self.learn()
                if self._clock.monotonic() - stored_at >= _STORE_EVERY:
                    await self._store()
                    stored_at = self._clock.monotonic()
            except StorageError as error:
                log.error("the time could not be stored", extra={"error": str(error)})
                stored_at = self._clock.monotonic()

    async def learn(self) -> None:
        """While this manager does not trust its clock, reads now and then whether an operator has
        accepted the clock at another manager, or the leader has seen no jump. Raises
        StorageError."""
        now = self._clock.monotonic()
        if not (self._database.shared and self._waits()) or now - self._learned_at < _LEARN_EVERY:
            return
        self._learned_at = now
        row = await self._database.read(manager_state.stored_clock)
        if row is not None and self._says_trusted(row):
            log.warning("the clock is trusted by another manager")
            self._stored = row
            self._jumps.clear()
            self._trust()

    def _says_trusted(self, row: ClockRow) -> bool:
        """Whether another manager has stored, since the last jump that this one has seen, that it
        trusts the clock."""
        is_new = self._since <= row.shown_at <= self._clock.stamp() + _LEARN_EVERY * _SECOND
        return row != self._stored and is_new and abs(row.trusted_at - row.shown_at) <= JUMP_MIN

    def _may_lead(self) -> bool:
        return not self._database.shared or self._database.epoch is not None

    async def accept(self, actor: str) -> bool:
        """Trusts the clock as it is, as an operator says; False if it was trusted already.

        Raises:
            StorageError: the database cannot be written now.
        """
        await self.run_once()
        untrusted = self.untrusted
        if untrusted is None:
            return False
        now, jumps = self._clock.stamp(), tuple(self._jumps)
        row = ClockRow(now, now, self._since)

        def work(tx: Transaction) -> None:
            self._replace(tx, manager_state.locked_clock(tx), row, jumps)
            manager_state.forget_jumps_at_start(tx)
            ahead = round(untrusted.ahead.total_seconds())
            audit.record(tx, now, actor, "accept_clock", seconds_ahead=ahead)

        await self._database.write(work)
        self._has_stored(row, jumps)
        log.warning("the clock was accepted", extra={"actor": actor})
        self._trust()
        return True

    def _look(self) -> None:
        boot = self._boot()
        now, elapsed = self._clock.stamp(), boot - self._looked_at
        offset = now - boot
        moved = offset - self._offset
        if abs(moved) > JUMP_MIN:
            self.jumps_seen += 1
            before = now - moved  # what the clock would show without the jump
            self._jumps.append(ClockJump(self._since, before, moved))
            self._since = now - elapsed
            self._waits_from = self._clock.monotonic()
            log.warning("the clock has jumped", extra={"seconds": round(moved / _SECOND)})
        self._offset, self._looked_at = offset, boot
        if (
            self._trusted_at_start is not None
            and abs(offset - self._trusted_at_start) <= START_GAP_MAX
        ):
            self._trusted_at_start, self._trusted = None, offset
        elif not self._has_jumped():
            drift = round(_DRIFT * elapsed)
            self._trusted += max(-drift, min(drift, offset - self._trusted))
        if self._waits() and self._clock.monotonic() - self._waits_from >= TRUST_AFTER:
            log.warning("the clock is trusted after 24 hours of running")
            self._trust()
        self._publish_change()

    def _has_jumped(self) -> bool:
        return abs(self._offset - self._trusted) > JUMP_MIN

    def _waits(self) -> bool:
        return self._trusted_at_start is not None or self._has_jumped()

    def _trust(self) -> None:
        self._trusted_at_start, self._trusted = None, self._offset
        self._publish_change()

    def _publish_change(self) -> None:
        waiting = self._waits()
        if waiting == self._was_waiting:
            return
        self._was_waiting = waiting
        if waiting:
            log.warning("no history is removed while the clock is not trusted")
        else:
            log.info("the clock is trusted")
            self.trusted_again.set()
        self._feed.publish(Changes(manager=True))

    async def _store(self) -> None:
        """Stores the time and the jumps, if this manager leads."""
        if not self._may_lead():
            return
        self._look()
        now, jumps = self._clock.stamp(), tuple(self._jumps)
        trusted = self._trusted if self._trusted_at_start is None else self._trusted_at_start
        waits = self._waits()
        waited = self._clock.monotonic() - self._waits_from if waits else 0.0
        row = ClockRow(trusted + self._boot(), now, self._since, round(waited * _SECOND))

        def work(tx: Transaction) -> bool:
            if not leads(tx):
                return False
            stored = manager_state.locked_clock(tx)
            if waits and stored and self._says_trusted(stored):
                return False  # which is learned soon
            self._replace(tx, stored, row, jumps)
            return True

        if await self._database.write(work):
            self._has_stored(row, jumps)

    def _replace(
        self,
        tx: Transaction,
        stored: ClockRow | None,
        row: ClockRow,
        jumps: Sequence[ClockJump],
    ) -> None:
        """Stores the time, and jumps that no other manager has stored."""
        by_another = stored and self._stored and stored.since != self._stored.since
        if not (stored and by_another and abs(stored.since - row.since) <= _APART_MAX):
            for jump in jumps:
                manager_state.record_jump(tx, jump, JUMP_MIN)
                detail = {"ahead": jump.by, "at_start": jump.at_start}
                notifications.add(tx, Event.CLOCK_JUMPED, row.shown_at, detail)
        manager_state.store_clock(tx, row)

    def _has_stored(self, row: ClockRow, jumps: Sequence[ClockJump]) -> None:
        self._stored = row
        del self._jumps[: len(jumps)]

    def _boot(self) -> int:
        return round(self._clock.boottime() * _SECOND)
