"""Pruning: removes tasks, due times of schedules and join tokens older than `history_days`, a
little at a time. The statements are in `storage/maintenance/pruning.py`."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeVar

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance import pruning
from tui_manager.storage.tables.manager import audit, manager_state

log = logging.getLogger(__name__)
T = TypeVar("T")
_FIRST_LOOK = 60.0  # seconds after the start, when other work is more urgent
_LOOK_EVERY = 3600.0
_RETRY = 60.0  # seconds until the next attempt if the database cannot be written
_PAUSE_FACTOR = 4.0  # of the time that the last transaction took, with the wait for the writer
_PAUSE_MIN = 0.01  # seconds


class PruningLoop:
    """Old tasks are removed in two steps. They are marked, and nobody sees them any more; later
    their rows are removed. No task is marked while the clock is not trusted."""

    def __init__(self, core: Core, clock_watch: ClockWatch) -> None:
        self._core = core
        self._clock_watch = clock_watch

    async def run(self) -> None:
        """Looks every hour until cancelled, and as soon as the clock is trusted again."""
        pause = _FIRST_LOOK
        with contextlib.suppress(StorageError):  # the next look makes them
            await self._make_output_parts()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._clock_watch.trusted_again.wait()
            self._clock_watch.trusted_again.clear()
            try:
                await self.run_once()
            except StorageError as error:
                log.error("pruning waits for the database", extra={"error": str(error)})
                pause = _RETRY
            else:
                pause = _LOOK_EVERY

    async def run_once(self) -> None:
        """Removes all that is too old now, and what an earlier look has left.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be written now; the next look continues.
        """
        await self._make_output_parts()
        while await self.clear():
            pass
        since = await self._kept_since()
        while since and await self._write_and_pause(
            lambda tx: pruning.remove_schedule_runs(tx, since)
        ):
            self._core.feed.publish(Changes(schedules=True))
        begins = True
        while since and await self._mark(since, begins=begins):
            begins = False
            while await self.clear():
                pass
        if since:
            await self._write_and_pause(lambda tx: pruning.drop_output_parts(tx, since))
        while since and await self._write_and_pause(
            lambda tx: pruning.remove_pruned_output(tx, since)
        ):
            pass

    async def _make_output_parts(self) -> None:
        now = self._core.clock.stamp()
        await self._core.plan(lambda tx: pruning.make_output_parts(tx, now))

    async def mark(self) -> int:
        """Marks the oldest tasks, and returns how many."""
        since = await self._kept_since()
        return await self._mark(since, begins=True) if since else 0

    async def _kept_since(self) -> int:
        """A task that ended before this instant is too old; 0: all are kept for now."""
        if not await self._clock_watch.may_prune():
            return 0
        return self._core.limits.kept_since(self._core.clock.stamp())

    async def _mark(self, since: int, *, begins: bool) -> int:
        """One step. The first one of a look writes to the audit how many tasks will be removed."""
        now = self._core.clock.stamp()
        tasks = await self._write_and_pause(lambda tx: _mark(tx, since, now, begins=begins))
        if tasks:
            log.info("old tasks are removed", extra={"tasks": tasks})
            self._core.feed.publish(Changes(all_tasks=True))
        return tasks

    async def clear(self) -> bool:
        """Removes some rows of marked tasks; False: none is left."""
        return await self._write_and_pause(pruning.clear)

    async def _write_and_pause(self, work: Callable[[Transaction], T]) -> T:
        """One transaction, and then a pause in which others have the writer."""
        began = self._core.clock.monotonic()
        done = await self._core.plan(work)
        await asyncio.sleep(max(_PAUSE_MIN, _PAUSE_FACTOR * (self._core.clock.monotonic() - began)))
        return done


def _mark(tx: Transaction, since: int, now: int, *, begins: bool) -> int:
    pruning.remove_tokens(tx, since)
    manager_state.remove_old_errors(tx, since)
    tasks = pruning.count_old(tx, since) if begins else 0
    if tasks:
        before = to_datetime(since)
        assert before is not None
        audit.record(
            tx, now, "manager", "prune_tasks", tasks=tasks, before=before.date().isoformat()
        )
    return pruning.mark(tx, since, now)
