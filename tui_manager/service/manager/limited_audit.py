"""Rows of the audit that agents can cause as often as they like: at most one a minute for each who
does so, less often the longer it goes on, with the number of those that were left out."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.service.manager.clock import Clock
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import audit

log = logging.getLogger(__name__)
KEPT = 500  # remembered; what more of them do is written down as done by `OTHERS`
OTHERS = "others"
_INTERVAL = 60.0  # seconds between two rows of one
_INTERVAL_MAX = 3600.0  # the same when it goes on and on; after so long a silence it starts anew
_RETRY = 1.0  # seconds until the next try when the database cannot be written


@dataclass(frozen=True, slots=True)
class Offence:
    """What a row says, its time aside.

    Attributes:
        host_id: None when nobody knows who it was.
        host: the name that was given.
    """

    actor: str
    action: str
    host_id: str | None
    host: str
    detail: Mapping[str, str]


@dataclass(slots=True)
class _Offender:
    """
    Attributes:
        newest: what is written next.
        waiting: how often it happened since the last row.
        due: when the next row may be written; monotonic seconds, as all times here.
    """

    newest: Offence
    seen_at: float
    due: float
    waiting: int = 0
    interval: float = _INTERVAL

    def quiet(self, now: float, seconds: float) -> bool:
        """Whether it has done nothing for so long, and its next row could be written at once."""
        return not self.waiting and max(self.due, self.seen_at + seconds) <= now


class LimitedAudit:
    """Takes offences on the manager's loop and never waits; `run` writes what is due."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._offenders: dict[tuple[str, str], _Offender] = {}
        self._some = asyncio.Event()

    def add(self, offence: Offence) -> None:
        """Something happened; it is in the audit soon, or counted in a later row."""
        now = self._clock.monotonic()
        offender = self._offender(offence, now)
        offender.newest, offender.seen_at = offence, now
        offender.waiting += 1
        if offender.waiting == 1:
            self._some.set()

    def _offender(self, offence: Offence, now: float) -> _Offender:
        key = (offence.action, offence.host_id or offence.host)
        known = self._offenders.get(key)
        if known and known.quiet(now, _INTERVAL_MAX):
            del self._offenders[key]
        if key not in self._offenders and len(self._offenders) >= KEPT:
            self._forget(now, 0.0)
            if len(self._offenders) >= KEPT:
                key = (offence.action, OTHERS)
        return self._offenders.setdefault(key, _Offender(offence, now, now))

    def _forget(self, now: float, seconds: float) -> None:
        """Those who have been quiet for so long."""
        for key, offender in list(self._offenders.items()):
            if offender.quiet(now, seconds):
                del self._offenders[key]

    async def run(self) -> None:
        """Writes what is due until cancelled, and then what is left."""
        try:
            while True:
                self._some.clear()
                await self._try_to_write()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._some.wait()
        finally:
            for offender in self._offenders.values():
                offender.due = 0.0
            await self._try_to_write()

    async def _try_to_write(self) -> None:
        try:
            await self.write_due()
        except StorageError as error:
            log.error("the audit waits for the database", extra={"error": str(error)})
            for offender in self._offenders.values():
                offender.due = max(offender.due, self._clock.monotonic() + _RETRY)

    def _pause(self) -> float | None:
        """Seconds until the next row is due; None when nothing waits."""
        dues = [offender.due for offender in self._offenders.values() if offender.waiting]
        return max(0.0, min(dues) - self._clock.monotonic()) if dues else None

    async def write_due(self) -> None:
        """Writes a row for each of whom one is due.

        Raises:
            StorageError: the database cannot be written now; all of it waits.
        """
        now = self._clock.monotonic()
        self._forget(now, _INTERVAL_MAX)
        due = [
            (key, offender.newest, offender.waiting)
            for key, offender in self._offenders.items()
            if offender.waiting and offender.due <= now
        ]
        if not due:
            return
        rows = [(_said(key[1], offence), count - 1) for key, offence, count in due]
        await self._database.write(lambda tx: self._record(tx, rows))
        for key, _, count in due:
            offender = self._offenders[key]
            offender.waiting -= count
            offender.due = now + offender.interval
            offender.interval = min(2 * offender.interval, _INTERVAL_MAX)

    def _record(self, tx: Transaction, rows: list[tuple[Offence, int]]) -> None:
        now = self._clock.stamp()
        for offence, left_out in rows:
            more: dict[str, str | int] = {**offence.detail}
            if left_out:
                more["count"] = left_out
            audit.record(
                tx,
                now,
                offence.actor,
                offence.action,
                host_id=offence.host_id,
                host=offence.host,
                more=more,
            )


def _said(who: str, offence: Offence) -> Offence:
    if who != OTHERS:
        return offence
    return Offence("manager", offence.action, None, OTHERS, offence.detail)
