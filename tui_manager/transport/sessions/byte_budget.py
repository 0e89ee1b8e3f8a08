"""A number of bytes that all sessions share."""

from collections import OrderedDict
from collections.abc import Callable

from tui_manager.service.limits import RETURN_TIMEOUT

# Seconds for an agent to take bytes while others wait: as long as the manager waits at its start
# for a host that was online. 32 MiB in this time are 0.6 MB a second for all together.
WRITE_TIMEOUT = RETURN_TIMEOUT


class Reservation:
    """A part of a budget that a session has, or waits for.

    Attributes:
        on_granted: is called when it is granted, maybe at once.
        on_timeout: is called if the agent holds the bytes too long and others wait.
        held_since: an instant of the monotonic clock since which only the agent can end it; None:
            it is not granted, or the manager reads what is to be written.
    """

    def __init__(
        self, size: int, on_granted: Callable[[], None], on_timeout: Callable[[], None]
    ) -> None:
        self.size = size
        self.granted = False
        self.on_granted = on_granted
        self.on_timeout = on_timeout
        self.held_since: float | None = None


class ByteBudget:
    """Gives bytes to the sessions in the order in which they ask."""

    def __init__(
        self, budget: int, monotonic: Callable[[], float], timeout: float = WRITE_TIMEOUT
    ) -> None:
        """
        Args:
            budget: bytes. Who wants more gets all of it, when nobody else has any.
            monotonic: a clock in seconds.
            timeout: seconds for an agent to take bytes while others wait.
        """
        self.budget = budget
        self._monotonic = monotonic
        self._timeout = timeout
        self._used = 0
        self._waiting: OrderedDict[Reservation, None] = OrderedDict()
        self._granted: OrderedDict[Reservation, None] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes that are granted."""
        return self._used

    def reserve(self, reservation: Reservation) -> Reservation:
        """Asks for the bytes of a reservation, and returns it."""
        reservation.size = min(reservation.size, self.budget)
        self._waiting[reservation] = None
        self._grant()
        return reservation

    def give_back(self, reservation: Reservation) -> None:
        """Ends a reservation, granted or not. To be called once."""
        if reservation.granted:
            del self._granted[reservation]
            self._used -= reservation.size
        else:
            del self._waiting[reservation]
        self._grant()

    def begin_reading(self, reservation: Reservation) -> None:
        """The manager reads what is to be written: the agent cannot take it yet."""
        reservation.held_since = None

    def begin_writing(self, reservation: Reservation) -> None:
        """The bytes wait for the agent from now on."""
        reservation.held_since = self._monotonic()

    def end_slow_writes(self) -> None:
        """Calls `on_timeout` of those that hold bytes too long. If nobody waits for bytes, a slow
        agent has all the time that it needs."""
        if not self._waiting:
            return
        since = self._monotonic() - self._timeout
        for reservation in list(self._granted):
            if reservation.held_since is not None and reservation.held_since <= since:
                reservation.on_timeout()

    def _grant(self) -> None:
        while self._waiting:
            first = next(iter(self._waiting))
            if self._used + first.size > self.budget:
                return
            del self._waiting[first]
            self._granted[first] = None
            first.granted = True
            first.held_since = self._monotonic()
            self._used += first.size
            first.on_granted()
