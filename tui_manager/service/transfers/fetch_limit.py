"""Fetches that receive files now: a bounded number. The others wait in order of arrival."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

AT_ONCE = 64  # fetches
_BYTES = 64 * 1024 * 1024  # that all of them together have asked for and not received


class FetchLimit:
    """Gives each fetch its turn."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._taken = 0
        self._waiting = 0

    @property
    def waited_for(self) -> bool:
        """Whether a fetch waits for its turn."""
        return self._waiting > 0

    @property
    def largest_window(self) -> int:
        """How many bytes each of them may have under way."""
        return _BYTES // max(1, self._taken)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn, and has it until the block is left."""
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._free.release()
