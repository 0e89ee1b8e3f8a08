"""Tells watchers what changed: folded together, at most ten times a second each.

Whoever watches, on whichever side of a socket or of a thread, needs no pace of its own.
"""

import asyncio
from collections.abc import AsyncIterator

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.pace import Pace

_PATIENCE = 0.5  # seconds in which figures are gathered
_EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True)


class _Watcher:
    def __init__(self) -> None:
        self.pending = Changes()
        self.some = asyncio.Event()
        self.add(_EVERYTHING)

    def add(self, changes: Changes) -> None:
        self.pending |= changes
        self.some.set()

    def take(self) -> Changes:
        changes, self.pending = self.pending, Changes()
        self.some.clear()
        return changes


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
        self._figures = Changes()
        self._figures_due: asyncio.TimerHandle | None = None
        self._closed = False

    def close(self) -> None:
        """Ends every watch: the manager stops."""
        self._closed = True
        if self._figures_due:
            self._figures_due.cancel()
        for watcher in self._watchers:
            watcher.some.set()

    def publish(self, changes: Changes) -> None:
        """Adds to what every watcher will be told."""
        if changes:
            for watcher in self._watchers:
                watcher.add(changes)

    def publish_figures(self, changes: Changes) -> None:
        """Adds what changes all the time, and is told twice a second."""
        self._figures |= changes
        if changes and not self._figures_due and not self._closed:
            loop = asyncio.get_running_loop()
            self._figures_due = loop.call_later(_PATIENCE, self._publish_gathered)

    def _publish_gathered(self) -> None:
        figures, self._figures, self._figures_due = self._figures, Changes(), None
        self.publish(figures)

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
                await watcher.some.wait()
                if self._closed:
                    raise UnreachableError("The manager has stopped.")
                changes, told = watcher.take(), loop.time()
                next_at = told + pace.told(told)
                yield changes
                await asyncio.sleep(next_at - loop.time())
        finally:
            self._watchers.discard(watcher)
