"""ServerTime: the time of the database's server, which all managers of the database use.

It is measured with each beat. In between, and while the server is out of reach, the boot-time clock
of this machine goes on from the newest measurement.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.service.core.clock import Clock
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.statements import from_datetime, to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import gateways

_SECOND = 1_000_000  # microseconds; ServerTime counts in microseconds
# What the time is put back at most without being seen to go back: it stands still instead. What is
# due by it would otherwise be looked at again after each measurement.
HELD_MAX = _SECOND


@dataclass(frozen=True, slots=True)
class Reading:
    """The server's time, read at some instant between two readings of the boot-time clock.

    Attributes:
        shown: microseconds since 1970 UTC.
        before, after: microseconds of the boot-time clock.
    """

    shown: int
    before: int
    after: int


class ServerTime:
    """Any thread may ask for the time; `take` is called on the manager's loop."""

    def __init__(self, own: Clock) -> None:
        """
        Args:
            own: the clocks of this machine.
        """
        self._own = own
        self._offset: int | None = None  # server's time minus boot-time clock
        self._newest = 0  # that `now` has said

    def clock(self) -> Clock:
        """The clocks of this machine, with the server's time as the wall clock."""
        return replace(self._own, now=self.now)

    async def begin(self, database: Database) -> Clock:
        """Makes the first reading, and returns the clocks to use. If no other manager can use the
        database, these are the clocks of this machine. Raises StorageError."""
        if not database.shared:
            return self._own
        self.take(await database.read(self.read))
        return self.clock()

    def read(self, tx: Transaction) -> Reading:
        """Asks the server."""
        before = self._boot()
        return Reading(gateways.server_time(tx), before, self._boot())

    def take(self, reading: Reading) -> None:
        """Uses a reading. It gives two bounds for the time, which are further apart if the answer
        took long. If the time is outside of them, it is set to the nearer bound."""
        lowest, highest = reading.shown - reading.after, reading.shown - reading.before
        if self._offset is None:
            self._offset = (lowest + highest) // 2
        self._offset = min(max(self._offset, lowest), highest)

    def now(self) -> datetime:
        """The server's time; before the first reading, that of this machine."""
        if self._offset is None:
            return self._own.now()
        shown, newest = self._boot() + self._offset, self._newest
        if newest - HELD_MAX < shown < newest:
            shown = newest
        self._newest = shown
        now = to_datetime(shown)
        assert now is not None
        return now

    @property
    def clock_ahead(self) -> timedelta:
        """How far the wall clock of this machine is ahead of the server's; negative: behind."""
        if self._offset is None:
            return timedelta()
        own = from_datetime(self._own.now())
        return timedelta(microseconds=own - self._boot() - self._offset)

    def _boot(self) -> int:
        return round(self._own.boottime() * _SECOND)
