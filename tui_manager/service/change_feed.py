"""Tells watchers what changed: folded together, at most ten times a second each.

Whoever watches, on whichever side of a socket or of a thread, needs no pace of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.pace import Pace

_PATIENCE = 0.5  # seconds that a figure may wait for more
_EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True)


class _Watcher:
    """One that is told, with what it was not told yet.

    Attributes:
        some: anything is pending.
        soon: something is that does not wait for more.
    """

    def __init__(self) -> None:
        self.pending = Changes()
        self.some = asyncio.Event()
        self.soon = asyncio.Event()
        self.add(_EVERYTHING, soon=True)

    def add(self, changes: Changes, *, soon: bool) -> None:
        self.pending |= changes
        self.some.set()
        if soon:
            self.soon.set()

    def take(self) -> Changes:
        changes, self.pending = self.pending, Changes()
        self.some.clear()
        self.soon.clear()
        return changes

    async def worth_telling(self) -> None:
        await self.some.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self.soon.wait()


class Folded:
    """Changes that are fetched, not waited for; the first say that everything has changed."""

    def __init__(self, watcher: _Watcher) -> None:
        self._watcher = watcher

    def take(self) -> Changes:
        """What has changed since the last call."""
        return self._watcher.take()


class ChangeFeed:
    """Publishers never wait; a slow watcher finds its changes folded."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()
        self._closed = False

    def close(self) -> None:
        """Ends every watch: the manager stops."""
        self._closed = True
        for watcher in self._watchers:
            watcher.add(Changes(), soon=True)

    def publish(self, changes: Changes, *, soon: bool = True) -> None:
        """Adds to what every watcher will be told; not `soon`: with the next that is, or after half
        a second, because there is always more of it."""
        if not changes:
            return
        for watcher in self._watchers:
            watcher.add(changes, soon=soon)

    def folded(self) -> Folded:
        """For a part of the manager that wants to know, whenever it looks, what has changed."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        return Folded(watcher)

    async def watch(self) -> AsyncIterator[Changes]:
        """Changes as they come; the first says to read everything.

        Raises:
            UnreachableError: the manager stops.
        """
        watcher, pace = _Watcher(), Pace()
        self._watchers.add(watcher)
        loop = asyncio.get_running_loop()
        try:
            while True:
                await watcher.worth_telling()
                if self._closed:
                    raise UnreachableError("The manager has stopped.")
                changes, told = watcher.take(), loop.time()
                next_at = told + pace.told(told)
                yield changes
                await asyncio.sleep(next_at - loop.time())
        finally:
            self._watchers.discard(watcher)
