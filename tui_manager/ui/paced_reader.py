"""Reads again after changes, but not more often than the manager can bear."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PAUSE = 0.5  # seconds between two reads at least
_SHARE = 4.0  # a read that took long is repeated after so many times as long


class PacedReader:
    """Calls `read` again and again, with pauses, as long as somebody has asked since.

    Args:
        read: may raise ManagerError.
    """

    def __init__(self, read: Callable[[], Awaitable[None]]) -> None:
        self._read = read
        self._stale = False
        self._runs = False

    def request(self) -> bool:
        """Asks for a read. Returns whether the caller must start `run`."""
        self._stale = True
        if self._runs:
            return False
        self._runs = True
        return True

    async def run(self) -> None:
        """Reads until nobody has asked any more."""
        try:
            while self._stale:
                self._stale = False
                began = time.monotonic()
                await self._read()
                await asyncio.sleep(max(PAUSE, _SHARE * (time.monotonic() - began)))
        finally:
            self._runs = False
