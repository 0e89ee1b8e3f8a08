"""Removes what is older than the history that is kept, a little at a time between other work."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeVar

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import StorageError
from tui_manager.service.limits import Limits
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.clock_watch import ClockWatch
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.instants import to_datetime
from tui_manager.storage.maintenance import pruning
from tui_manager.storage.tables import audit, clock

log = logging.getLogger(__name__)
T = TypeVar("T")
_FIRST_LOOK = 60.0  # seconds after the start, when there is much else to do
_LOOK_EVERY = 3600.0
_RETRY = 60.0  # seconds until it is tried again when the database cannot be written
_REST = 4.0  # times as long as a transaction took, until the next; the wait for the writer included
_REST_LEAST = 0.01  # seconds


class Pruning:
    """The history that is too old goes in two steps: its tasks are gone at once for everybody, and
    what they leave is cleared away by and by. Nothing more is gone while the clock is in doubt."""

    def __init__(
        self,
        database: Database,
        feed: ChangeFeed,
        clock: Clock,
        limits: Limits,
        watch: ClockWatch,
    ) -> None:
        self._database = database
        self._feed = feed
        self._clock = clock
        self._limits = limits
        self._watch = watch

    async def run(self) -> None:
        """Looks until cancelled, and as soon as a clock that was in doubt is believed."""
        pause = _FIRST_LOOK
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._watch.settled.wait()
            self._watch.settled.clear()
            try:
                await self.look()
            except StorageError as error:
                log.error("pruning waits for the database", extra={"error": str(error)})
                pause = _RETRY
            else:
                pause = _LOOK_EVERY

    async def look(self) -> None:
        """Removes all that is too old now, and what an earlier run has left.

        Raises:
            StorageError: the database cannot be written; the rest is left for the next look.
        """
        while await self.clear():
            pass
        since = await self._kept_since()
        begins = True
        while since and await self._mark(since, begins=begins):
            begins = False
            while await self.clear():
                pass

    async def mark(self) -> int:
        """Lets the oldest tasks be gone, and returns how many."""
        since = await self._kept_since()
        return await self._mark(since, begins=True) if since else 0

    async def _kept_since(self) -> int:
        """The instant before which an end is too long ago; 0: all is kept for now."""
        if not await self._watch.may_prune():
            return 0
        return self._limits.kept_since(self._clock.stamp())

    async def _mark(self, since: int, *, begins: bool) -> int:
        """A step of a run; the one with which it begins says in the audit how many will be gone."""
        now = self._clock.stamp()
        tasks = await self._unhurried(lambda tx: _mark(tx, since, now, begins=begins))
        if tasks:
            log.info("old tasks are gone", extra={"tasks": tasks})
            self._feed.publish(Changes(all_tasks=True))
        return tasks

    async def clear(self) -> bool:
        """Clears some of what gone tasks have left; False when nothing is left."""
        return await self._unhurried(pruning.clear)

    async def _unhurried(self, work: Callable[[Transaction], T]) -> T:
        """One transaction, and a rest in which others have the writer to themselves."""
        began = self._clock.monotonic()
        done = await self._database.write(work)
        await asyncio.sleep(max(_REST_LEAST, _REST * (self._clock.monotonic() - began)))
        return done


def _mark(tx: Transaction, since: int, now: int, *, begins: bool) -> int:
    pruning.remove_tokens(tx, since)
    clock.remove_old_errors(tx, since)
    tasks = pruning.count_old(tx, since) if begins else 0
    if tasks:
        before = to_datetime(since)
        assert before is not None
        audit.record(
            tx, now, "manager", "prune_tasks", tasks=tasks, before=before.date().isoformat()
        )
    return pruning.mark(tx, since, now)
