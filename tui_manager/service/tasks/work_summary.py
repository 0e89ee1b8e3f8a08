"""What the manager's status says of all tasks and schedules, each time at a small cost."""

import asyncio
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, time

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.agent_version import Platform, platform_of
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.notification import ReceiverStatus
from tui_manager.domain.schedules.schedule import Schedule
from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.service.core.core import Core
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import receivers
from tui_manager.storage.tables.schedules import schedules
from tui_manager.storage.views import work_totals

_SCHEDULES_CHANGED = Changes(schedules=True)
_NAMED = 20  # tasks on hold and schedules that are named
_PATIENCE = 2.0  # seconds for the database to answer, if there is an older summary
_UPDATES = 50  # newest tasks among which the newest update of each platform is looked for


@dataclass(frozen=True, slots=True)
class WorkSummary:
    """Numbers of tasks, and what waits for an operator.

    Attributes:
        running: tasks that run.
        failed_today: tasks that ended as failed since the last midnight of this machine's zone.
        held: the newest tasks that wait after a batch, some at most.
        blocked: schedules that cannot start a task, or could not the last time, some at most.
        receivers: of notifications; how it stands with each.
        updates: the newest update of agents of each platform that completed on a host.
    """

    running: int
    failed_today: int
    held: tuple[Task, ...]
    blocked: tuple[Schedule, ...]
    updates: Mapping[Platform, UpdateSpec] = field(default_factory=dict)
    receivers: tuple[ReceiverStatus, ...] = ()


def midnight(now: datetime) -> datetime:
    """When the day began in the zone of this machine."""
    return datetime.combine(now.astimezone().date(), time.min).astimezone()


class WorkSummaryReader:
    """Reads the summary. The schedules are read again only if some schedule has changed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changes = core.feed.subscribe()
        self._blocked: tuple[Schedule, ...] = ()
        self._newest: WorkSummary | None = None
        self._unreadable = False  # as long as the database cannot be written either
        self._late: asyncio.Task[WorkSummary] | None = None  # was not answered in time

    async def read(self) -> WorkSummary:
        """The summary as it is now. While the database can neither be written, which the status
        says, nor read, or while it does not answer, it is the newest one that was read: the status
        itself must be answered.

        Raises:
            StorageError: the database cannot be read.
        """
        known_trouble = bool(self._core.statistics.storage_error)
        if self._newest and (self._late or (self._unreadable and known_trouble)):
            return self._newest
        try:
            self._newest, self._unreadable = await self._read_in_time(), False
        except StorageError:
            self._unreadable = True
            if self._newest is None or not known_trouble:
                raise
        return self._newest

    async def _read_in_time(self) -> WorkSummary:
        """The summary as it is now, or the newest one if the database does not answer soon. Then
        nothing more is read until it does."""
        reading = asyncio.create_task(self._read_now(), name="summary of tasks")
        try:
            await asyncio.wait([reading], timeout=_PATIENCE if self._newest else None)
        except asyncio.CancelledError:
            reading.cancel()
            raise
        if reading.done() or self._newest is None:
            return await reading
        self._late = reading
        reading.add_done_callback(self._take_late)
        return self._newest

    def _take_late(self, reading: "asyncio.Task[WorkSummary]") -> None:
        if self._late is reading:
            self._late = None
        if not reading.cancelled() and reading.exception() is None:
            self._newest = reading.result()

    async def _read_now(self) -> WorkSummary:
        changed = self._changes.take().schedules
        since = midnight(self._core.clock.now())
        try:
            found = await self._core.database.read(lambda tx: self._read(tx, since, again=changed))
        except BaseException:
            if changed:
                self._changes.add(_SCHEDULES_CHANGED)
            raise
        self._blocked = found.blocked
        return found

    def _read(self, tx: Transaction, since: datetime, *, again: bool) -> WorkSummary:
        return WorkSummary(
            work_totals.count_running(tx),
            work_totals.count_failed(tx, since),
            tuple(work_totals.held(tx, _NAMED)),
            _blocked(tx) if again else self._blocked,
            _updates(tx),
            tuple(receivers.all_receivers(tx)),
        )


def _updates(tx: Transaction) -> Mapping[Platform, UpdateSpec]:
    found: dict[Platform, UpdateSpec] = {}
    for update in work_totals.newest_updates(tx, _UPDATES):
        found.setdefault(platform_of(update.system, update.arch), update)
    return found


def _blocked(tx: Transaction) -> tuple[Schedule, ...]:
    window = Window(faults_only=True, limit=1000)
    found = (
        schedule
        for schedule in schedules.window(tx, window).rows
        if not schedule.paused and (schedule.problem or schedule.refusal)
    )
    return tuple(found)[:_NAMED]
