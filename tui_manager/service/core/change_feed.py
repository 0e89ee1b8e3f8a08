"""Tells watchers what has changed: merged, and at most ten times a second for each of them.

A watcher on the other side of a socket or a thread needs no pace of its own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.manager.changes import Changes

_FIGURES_DELAY = 0.5  # seconds in which figures are gathered
EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True, templates=True, schedules=True)
A_SECOND = 10  # most changes that a watcher gets in any second
AT_ONCE = 4  # a short task is created, started, running and ended within milliseconds


class ChangeRate:
    """How often a watcher gets changes: a few at once after a quiet second, then ten a second."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque(maxlen=A_SECOND)

    def count(self, now: float) -> float:
        """Counts one change.

        Args:
            now: monotonic seconds.

        Returns:
            Seconds until the next: 0 for the first few, then an even share of the rest of the
            second.
        """
        self._sent.append(now)
        while self._sent[0] <= now - 1:
            self._sent.popleft()
        if len(self._sent) < AT_ONCE:
            return 0.0
        return (self._sent[0] + 1 - now) / (A_SECOND + 1 - len(self._sent))


class Subscription:
    """The changes that one watcher has not taken yet. At first, everything has changed."""

    def __init__(self) -> None:
        self._pending = EVERYTHING
        self.changed = asyncio.Event()
        self.changed.set()

    def add(self, changes: Changes) -> None:
        """Merges these into what is pending."""
        self._pending |= changes
        self.changed.set()

    def add_figures(self, changes: Changes) -> None:
        """The same for what changes all the time, for those who want to leave that out."""
        self.add(changes)

    def take(self) -> Changes:
        """What has changed since the last call."""
        changes, self._pending = self._pending, Changes()
        self.changed.clear()
        return changes


class ChangeFeed:
    """Publishers never wait. A slow watcher finds its changes merged."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._figures = Changes()
        self._figures_due: asyncio.TimerHandle | None = None
        self._closed = False

    def close(self) -> None:
        """Ends every watch: the manager stops."""
        self._closed = True
        if self._figures_due:
            self._figures_due.cancel()
        for subscription in self._subscriptions:
            subscription.changed.set()

    def publish(self, changes: Changes, source: Subscription | None = None) -> None:
        """Adds changes for every watcher except `source`, which has made them."""
        if changes:
            for subscription in self._subscriptions:
                if subscription is not source:
                    subscription.add(changes)

    def publish_figures(self, changes: Changes) -> None:
        """Adds figures that change all the time. Watchers get them twice a second."""
        self._figures |= changes
        if changes and not self._figures_due and not self._closed:
            loop = asyncio.get_running_loop()
            self._figures_due = loop.call_later(_FIGURES_DELAY, self._publish_gathered)

    def _publish_gathered(self) -> None:
        figures, self._figures, self._figures_due = self._figures, Changes(), None
        for subscription in self._subscriptions:
            subscription.add_figures(figures)

    def subscribe(self) -> Subscription:
        """A subscription for a part of the manager that looks at the changes now and then."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        return subscription

    def attach(self, subscription: Subscription) -> None:
        """The same for a part that looks at some times only, with a subscription of its own."""
        self._subscriptions.add(subscription)

    def detach(self, subscription: Subscription) -> None:
        """The end of `attach`."""
        self._subscriptions.discard(subscription)

    async def watch(self) -> AsyncIterator[Changes]:
        """Changes as they come. The first say that everything has changed.

        Raises:
            UnreachableError: the manager stops.
        """
        subscription, pace = self.subscribe(), ChangeRate()
        loop = asyncio.get_running_loop()
        try:
            while True:
                await subscription.changed.wait()
                if self._closed:
                    raise UnreachableError("The manager has stopped.")
                changes, now = subscription.take(), loop.time()
                next_at = now + pace.count(now)
                yield changes
                await asyncio.sleep(next_at - loop.time())
        finally:
            self._subscriptions.discard(subscription)
