"""Whether the wall clock may decide what cannot be undone.

The wall clock is compared with the boot-time clock, which nobody sets and which goes on while the
machine sleeps, and at the start with the time that was stored last.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import StorageError
from tui_manager.domain.health import ClockDoubt
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import audit
from tui_manager.storage.tables import clock as stored_clock
from tui_manager.storage.tables.clock import ClockRow, Jump

log = logging.getLogger(__name__)
_SECOND = 1_000_000  # microseconds, in which this file counts
JUMP = 60 * _SECOND  # by which the clock moves against the boot-time clock, at least
FAR = 24 * 3600 * _SECOND  # from the stored time, at a start
WAIT = 24 * 3600.0  # seconds of running after which a clock is believed
_DRIFT = 0.001  # of the time that goes by: more than a clock is slewed by, and less than a jump
_LOOK_EVERY = 1.0  # seconds
_STORE_EVERY = 60.0  # seconds
_STALE = 120 * _SECOND  # by which the stored time may be too early


class ClockWatch:
    """Follows the wall clock while the manager runs. `begin` comes first."""

    def __init__(self, database: Database, clock: Clock, feed: ChangeFeed) -> None:
        self._database = database
        self._clock = clock
        self._feed = feed
        self.settled = asyncio.Event()  # set when a wait has ended; who waits for it clears it
        self._looked_at = self._boot()
        self._offset = clock.stamp() - self._looked_at  # of the wall clock to the boot-time clock
        self._line = self._offset  # what it should be, from all that was seen in this run
        self._stored_line: int | None = None  # what it should be, if it began far from the stored
        self._since = clock.stamp()
        self._waits_from = clock.monotonic()
        self._was_waiting = False
        self._jumps: list[Jump] = []  # that are not stored yet

    async def begin(self) -> None:
        """Compares the clock with the stored time. Raises StorageError."""
        row = await self._database.read(stored_clock.stored)
        if row is not None:
            self._compare(row)
        await self._store()
        self._tell_change()

    def _compare(self, row: ClockRow) -> None:
        now, boot = self._clock.stamp(), self._boot()
        as_trusted = abs(now - row.trusted_at) <= FAR
        as_shown = abs(now - row.shown_at) <= FAR
        if not as_trusted:
            self._stored_line = row.trusted_at - boot
        if as_shown:
            self._since = row.since
            self._waits_from = self._clock.monotonic() - row.waited / _SECOND
            return
        by = (row.trusted_at if as_trusted else now) - row.shown_at
        self._jumps.append(Jump(row.since, row.shown_at + _STALE, by, not as_trusted))

    def now(self) -> datetime:
        """What the wall clock shows."""
        return self._clock.now()

    def may_act(self) -> bool:
        """Whether what is due by the wall clock may be done now: it has not jumped in this run."""
        self._look()
        return not self._has_jumped()

    async def may_prune(self) -> bool:
        """Whether history may be removed now; all jumps are stored then. Raises StorageError."""
        await self.look()
        return not self._waits()

    async def look(self) -> None:
        """Looks at the clock; jumps are stored, and deadlines moved, when this returns.

        Raises:
            StorageError: the database cannot be written now.
        """
        self._look()
        if self._jumps:
            await self._store()

    @property
    def doubt(self) -> ClockDoubt | None:
        """What is wrong with the clock; None when it is believed."""
        if not self._waits():
            return None
        trusted = self._line if self._stored_line is None else self._stored_line
        left = WAIT - (self._clock.monotonic() - self._waits_from)
        return ClockDoubt(
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
                await self.look()
                if self._clock.monotonic() - stored_at >= _STORE_EVERY:
                    await self._store()
                    stored_at = self._clock.monotonic()
            except StorageError as error:
                log.error("the time could not be stored", extra={"error": str(error)})
                stored_at = self._clock.monotonic()

    async def accept(self, actor: str) -> bool:
        """Believes the clock as it is, on an operator's word; False when it was believed anyway.

        Raises:
            StorageError: the database cannot be written now.
        """
        await self.look()
        doubt = self.doubt
        if doubt is None:
            return False
        now = self._clock.stamp()
        row = ClockRow(now, now, self._since)

        def work(tx: Transaction) -> None:
            stored_clock.store(tx, row)
            stored_clock.forget_start(tx)
            ahead = round(doubt.ahead.total_seconds())
            audit.record(tx, now, actor, "accept_clock", seconds_ahead=ahead)

        await self._database.write(work)
        log.warning("the clock was accepted", extra={"actor": actor})
        self._believe()
        return True

    def _look(self) -> None:
        boot = self._boot()
        now, elapsed = self._clock.stamp(), boot - self._looked_at
        offset = now - boot
        moved = offset - self._offset
        if abs(moved) > JUMP:
            before = now - moved  # what the clock would show without the jump
            self._jumps.append(Jump(self._since, before, moved))
            self._since = now - elapsed
            self._waits_from = self._clock.monotonic()
            log.warning("the clock has jumped", extra={"seconds": round(moved / _SECOND)})
        self._offset, self._looked_at = offset, boot
        if self._stored_line is not None and abs(offset - self._stored_line) <= FAR:
            self._stored_line, self._line = None, offset
        elif not self._has_jumped():
            drift = round(_DRIFT * elapsed)
            self._line += max(-drift, min(drift, offset - self._line))
        if self._waits() and self._clock.monotonic() - self._waits_from >= WAIT:
            log.warning("the clock is believed after 24 hours of running")
            self._believe()
        self._tell_change()

    def _has_jumped(self) -> bool:
        return abs(self._offset - self._line) > JUMP

    def _waits(self) -> bool:
        return self._stored_line is not None or self._has_jumped()

    def _believe(self) -> None:
        self._stored_line, self._line = None, self._offset
        self._tell_change()

    def _tell_change(self) -> None:
        waiting = self._waits()
        if waiting == self._was_waiting:
            return
        self._was_waiting = waiting
        if waiting:
            log.warning("no history is removed while the clock is in doubt")
        else:
            log.info("the clock is believed")
            self.settled.set()
        self._feed.publish(Changes(manager=True))

    async def _store(self) -> None:
        self._look()
        now, jumps = self._clock.stamp(), tuple(self._jumps)
        trusted = self._line if self._stored_line is None else self._stored_line
        waited = self._clock.monotonic() - self._waits_from if self._waits() else 0.0
        row = ClockRow(trusted + self._boot(), now, self._since, round(waited * _SECOND))

        def work(tx: Transaction) -> None:
            for jump in jumps:
                stored_clock.note_jump(tx, jump, JUMP)
            stored_clock.store(tx, row)

        await self._database.write(work)
        del self._jumps[: len(jumps)]

    def _boot(self) -> int:
        return round(self._clock.boottime() * _SECOND)
