"""How many bytes of files a receiver asks for before they have come: agents and managers alike.

A sender sends only what it was asked for, so the window says how many bytes of files can stand
before a command or a result on a connection: about half a second of what the connection carries.
"""

from collections.abc import Callable

FIRST = 512 * 1024  # bytes, before the rate is known
SMALLEST = 128 * 1024  # bytes
LARGEST = 4 * 1024 * 1024  # bytes
REQUEST_LENGTH = 4 * 1024 * 1024  # bytes of one request
PART_LENGTH = 1024 * 1024  # bytes of one answer: each costs both sides time, however small it is
_SECONDS = 0.5  # of what the connection carries
_MEASURED_FOR = 0.25  # seconds, at least, from which a rate is computed


class TransferWindow:
    """The window of one transfer. The rate is measured only while something is under way."""

    def __init__(self, monotonic: Callable[[], float], largest: int = LARGEST) -> None:
        """
        Args:
            monotonic: returns seconds.
            largest: bytes; it may be changed later.
        """
        self.largest = largest
        self._monotonic = monotonic
        self._size = FIRST
        self._under_way = 0
        self._since = 0.0  # when something was under way last
        self._passed = 0.0  # seconds of the measurement
        self._came = 0  # bytes in them
        self._was_used = False  # more than half of the window was under way in them

    @property
    def size(self) -> int:
        """Bytes that may be under way."""
        return min(self._size, self.largest)

    @property
    def room(self) -> int:
        """Bytes that may be asked for now."""
        return max(0, self.size - self._under_way)

    @property
    def under_way(self) -> int:
        """Bytes that were asked for and have not come."""
        return self._under_way

    def asked(self, length: int) -> None:
        """So many bytes were asked for."""
        if not self._under_way:
            self._since = self._monotonic()
        self._under_way += length
        self._was_used = self._was_used or self._is_used

    def received(self, length: int, *, sent: int | None = None) -> None:
        """So many of them have come.

        Args:
            sent: how many bytes the connection has carried for them; None: as many. Zeros need
                none.
        """
        self._under_way = max(0, self._under_way - length)
        self._came += length if sent is None else sent
        now = self._monotonic()
        self._passed += now - self._since
        self._since = now
        if self._passed < _MEASURED_FOR:
            return
        if self._came:  # else only zeros came, which say nothing about the connection
            size = min(LARGEST, max(SMALLEST, int(self._came / self._passed * _SECONDS)))
            if size > self._size or self._was_used:  # else it could have carried more
                self._size = size
        self._passed, self._came = 0.0, 0
        self._was_used = self._is_used

    @property
    def _is_used(self) -> bool:
        return self._under_way > self.size // 2

    def restart(self) -> None:
        """The connection has ended: nothing is under way."""
        self._under_way = 0
