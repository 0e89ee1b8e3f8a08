"""A number of bytes that all sessions share."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar


class Reservation:
    """A part of a budget that a session has, or waits for.

    Attributes:
        on_granted: is called when it is granted, maybe at once.
    """

    def __init__(self, size: int, on_granted: Callable[[], None]) -> None:
        self.size = size
        self.granted = False
        self.on_granted = on_granted


AnyReservation = TypeVar("AnyReservation", bound=Reservation)


class ByteBudget(Generic[AnyReservation]):
    """Gives bytes to the sessions in the order in which they ask."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes. Who wants more gets all of it, when nobody else has any."""
        self.budget = budget
        self._used = 0
        self._waiting: OrderedDict[AnyReservation, None] = OrderedDict()
        self._granted: OrderedDict[AnyReservation, None] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes that are granted."""
        return self._used

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for bytes."""
        return bool(self._waiting)

    @property
    def granted(self) -> list[AnyReservation]:
        """The reservations that are granted."""
        return list(self._granted)

    def reserve(self, reservation: AnyReservation) -> AnyReservation:
        """Asks for the bytes of a reservation, and returns it."""
        reservation.size = min(reservation.size, self.budget)
        self._waiting[reservation] = None
        self._grant()
        return reservation

    def give_back(self, reservation: AnyReservation) -> None:
        """Ends a reservation, granted or not. To be called once."""
        if reservation.granted:
            del self._granted[reservation]
            self._used -= reservation.size
        else:
            del self._waiting[reservation]
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            first = next(iter(self._waiting))
            if self._used + first.size > self.budget:
                return
            del self._waiting[first]
            self._granted[first] = None
            first.granted = True
            self._used += first.size
            first.on_granted()
