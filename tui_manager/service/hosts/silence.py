"""Turns what lasts too long into failure: the silence of an agent, and the wait for a host."""

import asyncio
import logging

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import StorageError
from tui_manager.domain.status import CommandHostStatus
from tui_manager.service.hosts.directory import Directory, Entry
from tui_manager.service.limits import Limits
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.clock_watch import ClockWatch
from tui_manager.service.tasks import task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import command_hosts
from tui_manager.storage.views import sending

log = logging.getLogger(__name__)
_TICK = 1.0  # seconds between two looks, at most
_STOOD_STILL = 0.5  # seconds that a look must be late for that
_AWAY = "The host did not come back in time."
_UNDELIVERED = "It could not be handed to its host within the task's delivery timeout."


class Silence:
    """Watches hosts that are offline and have work."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        feed: ChangeFeed,
        clock: Clock,
        limits: Limits,
        watch: ClockWatch,
    ) -> None:
        self._database = database
        self._directory = directory
        self._feed = feed
        self._clock = clock
        self._watch = watch
        self._lost_after = limits.lost_after.total_seconds()

    async def run(self) -> None:
        """Looks until cancelled."""
        pause = min(_TICK, self._lost_after / 4)
        while True:
            began = self._clock.monotonic()
            await asyncio.sleep(pause)
            self.excuse(self._clock.monotonic() - began - pause)
            try:
                await self.look()
            except StorageError as error:
                log.error("judging silence waits for the database", extra={"error": str(error)})

    def excuse(self, seconds: float) -> None:
        """Takes it on itself that nobody was heard for so long: this manager stood still."""
        if seconds < _STOOD_STILL:
            return
        log.warning("this manager stood still", extra={"seconds": round(seconds, 1)})
        for entry in self._directory:
            entry.silent_since += seconds
            if entry.session:
                entry.session.heard_at += seconds

    async def look(self) -> None:
        """Judges every host that has been silent for longer than `lost_after`, once a silence, and
        every command that has waited past its delivery timeout. What a silent host was sent with a
        delivery timeout, and has not said that it began, is given up when both have passed.

        Raises:
            StorageError: the database cannot be written, so that nobody could come back either;
                these silences are counted anew.
        """
        await self._judge_silent()
        await self._judge_waiting()

    async def _judge_silent(self) -> None:
        limit = self._clock.monotonic() - self._lost_after
        silent = [
            entry
            for entry in self._directory
            if entry.away and not entry.judged and entry.silent_since <= limit
        ]
        if not silent:
            return
        for entry in silent:
            entry.judged = True
        try:
            await self._watch.look()  # which moves deadlines with a clock that has jumped
            for entry in silent:
                entry.judged = entry.away  # it may have come back meanwhile
            away = [entry for entry in silent if entry.judged]
            tasks = await self._database.write(lambda tx: self._judge(tx, away))
        except StorageError:
            for entry in silent:
                entry.judged, entry.silent_since = False, self._clock.monotonic()
            raise
        self._feed.publish(Changes(tasks=frozenset(tasks)))

    async def _judge_waiting(self) -> None:
        await self._watch.look()
        now = self._clock.stamp()
        unsent, to_give_up = await self._database.read(
            lambda tx: (sending.undelivered(tx, now), sending.hosts_to_give_up(tx, now))
        )
        entries = [self._directory.of_row(host) for host in to_give_up]
        silent = [entry for entry in entries if entry.away and entry.judged]
        if not (unsent or silent):
            return
        tasks = await self._database.write(lambda tx: _expire(tx, now) | self._judge(tx, silent))
        self._feed.publish(Changes(tasks=frozenset(tasks)))

    def _judge(self, tx: Transaction, silent: list[Entry]) -> set[int]:
        now = self._clock.stamp()
        tasks: set[int] = set()
        for entry in silent:
            host = entry.row.row_id
            unsent = sending.unsent_of_host(tx, host)
            lost = task_status.give_up(tx, host, unsent, _AWAY, now, for_good=False)
            if lost:
                log.warning("agent lost", extra={"host": entry.row.name, "tasks": sorted(lost)})
            tasks |= lost
        for task_id in tasks:
            task_status.settle(tx, task_id, now)
        return tasks


def _expire(tx: Transaction, now: int) -> set[int]:
    tasks: set[int] = set()
    for waiting in sending.undelivered(tx, now):
        if command_hosts.give_up_sending(tx, waiting.row_id, _UNDELIVERED, now):
            failed = CommandHostStatus.FAILED
            task_status.go_on(tx, waiting.task_id, waiting.host, waiting.position, failed, now)
            tasks.add(waiting.task_id)
    for task_id in tasks:
        task_status.settle(tx, task_id, now)
    return tasks
