"""HostTimeouts: commands fail when their agent is silent, or their host is away, for too long.

How long a host is expected back after its manager has stopped: `RETURN_TIMEOUT` of
`service/limits.py`.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core import advance_task
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core, NotLeadingError
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.service.hosts.host_scan_times import HostScanTimes
from tui_manager.service.hosts.lost_host_watch import LostHostWatch
from tui_manager.service.hosts.stall_watch import StallWatch
from tui_manager.storage.engine.metric_counters import Act
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.views.delivery import command_delivery
from tui_manager.storage.views.delivery.command_delivery import UnsentCommand

log = logging.getLogger(__name__)
_AWAY = "The host did not come back in time."
_UNDELIVERED = "It could not be handed to its host within the task's delivery timeout."


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host that is away, as far as is known here.

    Attributes:
        generation: of the session after which nothing was heard of it.
    """

    entry: HostEntry
    row_id: int
    generation: int


class HostTimeouts:
    """Looks at hosts that are away and at commands that wait for them, those of all managers. Runs
    while this manager leads."""

    def __init__(self, core: Core, clock_watch: ClockWatch, stalls: StallWatch) -> None:
        self._core = core
        self._directory = core.directory
        self._clock = core.clock
        self._clock_watch = clock_watch
        self._stalls = stalls
        self._lost_host_watch = LostHostWatch(core)
        self._started_at = core.clock.stamp()
        self._lost_after = core.limits.lost_after.total_seconds()
        self._scan_times = HostScanTimes(core.directory, self._lost_after)

    async def run(self) -> None:
        """Looks until cancelled. Who was silent for too long before is judged anew: the manager
        that led then may not have come so far."""
        for entry in self._directory:
            entry.declared_lost = False
        self._scan_times.forget()
        self._lost_host_watch.forget()
        while True:
            await asyncio.sleep(self._stalls.pause)
            self._stalls.run_once()  # before anybody is judged
            try:
                await self.run_once()
            except StorageError as error:
                log.error("judging silence waits for the database", extra={"error": str(error)})

    async def run_once(self) -> None:
        """Fails the commands of each host that has been silent for longer than `lost_after`, once a
        silence, and each unsent command past its delivery timeout. A command with a delivery
        timeout that was sent and has not begun fails when both have passed. Then stores which hosts
        are lost, and which are back.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be written. Nobody could have come back either, so
                these silences are counted from now on.
        """
        await self._fail_not_back()
        await self._fail_silent_hosts()
        await self._fail_undelivered()
        await self._lost_host_watch.run_once()

    async def _fail_not_back(self) -> None:
        """Hosts that were expected, and have not come: what was started since and does not wait for
        its host fails."""
        not_back = _judged(self._directory.expected.not_back(self._clock.monotonic()))
        if not_back:
            away, tasks = await self._core.plan(lambda tx: self._fail_started(tx, not_back))
            self._directory.expected.remove(away)
            self._core.feed.publish(Changes(tasks=frozenset(tasks)))

    def _fail_started(
        self, tx: Transaction, not_back: Sequence[SilentHost]
    ) -> tuple[list[HostEntry], set[int]]:
        """The hosts that are given up, and the tasks in which commands have failed."""
        away = self._still_away(tx, not_back)
        hosts.set_offline(tx, [(host.row_id, host.generation) for host in away])
        unsent = [
            item
            for host in away
            for item in command_delivery.unsent_since(
                tx, host.row_id, self._expected_since(host.entry)
            )
        ]
        tasks = _fail_unsent(tx, unsent, _AWAY, self._clock.stamp())
        return [host.entry for host in away], tasks

    def _still_away(self, tx: Transaction, judged: Sequence[SilentHost]) -> list[SilentHost]:
        """Those of these hosts that have not come back by the database either. One may have come to
        another manager a moment ago. Until the end of the transaction none comes."""
        sessions = [(host.row_id, host.generation) for host in judged]
        away = hosts.lock_away(tx, sessions, self._directory.alive)
        return [host for host in judged if host.row_id in away]

    def _expected_since(self, entry: HostEntry) -> int:
        """A host is expected since the start of this manager, or since its own one has gone."""
        gone = from_datetime(entry.since) if entry.since else 0
        return max(self._started_at, gone)

    async def _fail_silent_hosts(self) -> None:
        now, changes = self._clock.monotonic(), self._directory.changes
        if not self._scan_times.is_due(now):
            return
        limit = now - self._lost_after
        silent = [
            entry
            for entry in self._directory
            if entry.silent_since <= limit and not entry.declared_lost and entry.away
        ]
        if silent:
            await self._declare_lost(silent)
        left = (entry for entry in self._directory if not (entry.declared_lost or entry.online))
        self._scan_times.scan_ended(changes, now, left)

    async def _declare_lost(self, silent: Sequence[HostEntry]) -> None:
        """Fails the commands of hosts that have been silent for too long, unless one has come back
        meanwhile."""
        for entry in silent:
            entry.declared_lost = True
        try:
            await self._clock_watch.run_once()  # which moves deadlines if the clock has jumped
            for entry in silent:
                entry.declared_lost = entry.away  # it may have come back meanwhile
            judged = _judged(entry for entry in silent if entry.declared_lost)
            lost = await self._core.plan(lambda tx: self._fail_hosts(tx, judged))
        except NotLeadingError:
            for entry in silent:
                entry.declared_lost = False
            raise
        except StorageError:
            for entry in silent:
                entry.declared_lost, entry.silent_since = False, self._clock.monotonic()
            raise
        for entry in silent:
            entry.declared_lost &= entry.row.row_id in lost
        number = sum(entry.declared_lost for entry in silent)
        self._core.statistics.count(Act.HOST_LOST, number=number)
        self._tell_lost(lost)

    async def _fail_undelivered(self) -> None:
        await self._clock_watch.run_once()
        now = self._clock.stamp()
        unsent, unanswered = await self._core.database.read(
            lambda tx: (
                command_delivery.undelivered(tx, now),
                command_delivery.hosts_to_give_up(tx, now),
            )
        )
        entries = map(self._directory.find_row, unanswered)
        silent = _judged(entry for entry in entries if entry and entry.away and entry.declared_lost)
        if not (unsent or silent):
            return
        tasks, lost = await self._core.plan(
            lambda tx: (
                _fail_unsent(tx, command_delivery.undelivered(tx, now), _UNDELIVERED, now),
                self._fail_hosts(tx, silent),
            )
        )
        self._core.feed.publish(Changes(tasks=frozenset(tasks)))
        self._tell_lost(lost)

    def _fail_hosts(self, tx: Transaction, silent: Sequence[SilentHost]) -> dict[int, set[int]]:
        """Fails what was sent to those of these hosts that are away, and what waits for them.

        Returns:
            The tasks of each of them, by its row id, in which commands have failed.
        """
        now = self._clock.stamp()
        lost = {}
        for host in self._still_away(tx, silent):
            unsent = command_delivery.unsent_of_host(tx, host.row_id)
            lost[host.row_id] = advance_task.fail_host(
                tx, host.row_id, unsent, _AWAY, now, for_good=False
            )
        for task_id in set().union(*lost.values()):
            advance_task.update_task_status(tx, task_id, now)
        return lost

    def _tell_lost(self, lost: Mapping[int, set[int]]) -> None:
        for row_id, tasks in lost.items():
            entry = self._directory.find_row(row_id)
            if tasks and entry:
                log.warning("agent lost", extra={"host": entry.row.name, "tasks": sorted(tasks)})
        self._core.feed.publish(Changes(tasks=frozenset().union(*lost.values())))


def _judged(entries: Iterable[HostEntry]) -> list[SilentHost]:
    return [SilentHost(entry, entry.row.row_id, entry.row.generation) for entry in entries]


def _fail_unsent(
    tx: Transaction, commands: Iterable[UnsentCommand], why: str, now: int
) -> set[int]:
    tasks = advance_task.fail_unsent(tx, commands, why, now)
    for task_id in tasks:
        advance_task.update_task_status(tx, task_id, now)
    return tasks
