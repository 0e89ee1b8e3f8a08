"""Tells watchers what changed: folded together, at most ten times a second each."""

import asyncio
from collections.abc import AsyncIterator

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import UnreachableError

_INTERVAL = 0.1  # seconds between two tellings
_EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True)


class _Watcher:
    def __init__(self) -> None:
        self.pending = _EVERYTHING
        self.some = asyncio.Event()
        self.some.set()


class Folded:
    """Changes that are fetched, not waited for; the first say that everything has changed."""

    def __init__(self, watcher: _Watcher) -> None:
        self._watcher = watcher

    def take(self) -> Changes:
        """What has changed since the last call."""
        changes, self._watcher.pending = self._watcher.pending, Changes()
        return changes


class ChangeFeed:
    """Publishers never wait; a slow watcher finds its changes folded."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()
        self._closed = False

    def close(self) -> None:
        """Ends every watch: the manager stops."""
        self._closed = True
        for watcher in self._watchers:
            watcher.some.set()

    def publish(self, changes: Changes) -> None:
        """Adds to what every watcher will be told."""
        if not changes:
            return
        for watcher in self._watchers:
            watcher.pending |= changes
            watcher.some.set()

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
        watcher = _Watcher()
        self._watchers.add(watcher)
        loop = asyncio.get_running_loop()
        try:
            while True:
                await watcher.some.wait()
                if self._closed:
                    raise UnreachableError("The manager has stopped.")
                changes, watcher.pending = watcher.pending, Changes()
                watcher.some.clear()
                told = loop.time()
                yield changes
                await asyncio.sleep(told + _INTERVAL - loop.time())
        finally:
            self._watchers.discard(watcher)
