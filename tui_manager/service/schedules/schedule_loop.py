"""ScheduleLoop: acts when a schedule is due, or when the end of a task lets a due time start."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from datetime import datetime

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.schedule_decision import BACK_MAX, ClockState
from tui_manager.service.core.change_feed import Subscription
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.schedules.handle_due_times import (
    CannotStartError,
    HandledDueTimes,
    StartContext,
    handle_due_times,
)
from tui_manager.service.schedules.make_task import ScheduledTask, TaskMaker
from tui_manager.service.tasks.start_task import TaskStarter
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.schedules import schedules
from tui_manager.storage.tables.schedules.schedules import ScheduleRow

log = logging.getLogger(__name__)
_LOOK_EVERY = 10.0  # seconds, at most, between two looks at the clock while something will be due
_RETRY = 1.0  # seconds until the next attempt if the database cannot be written
_AT_ONCE = 20  # schedules, whose transactions the writer may take together
_ATTEMPTS = 5  # at one schedule that is edited, or whose template is saved, meanwhile


class _Wanted(Subscription):
    """The changes that matter to schedules: templates, and the tasks whose end is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: frozenset[int] = frozenset()

    def add(self, changes: Changes) -> None:
        ends = self.tasks and (changes.all_tasks or changes.tasks & self.tasks)
        if changes.templates or ends:
            super().add(changes)

    def wake(self) -> None:
        """A schedule has changed."""
        super().add(Changes(schedules=True))


class ScheduleLoop:
    """Runs while this manager leads. What it keeps in memory it finds again in the database when it
    runs the next time."""

    def __init__(
        self, core: Core, starter: TaskStarter, maker: TaskMaker, clock_watch: ClockWatch
    ) -> None:
        self._core = core
        self._starter = starter
        self._maker = maker
        self._clock_watch = clock_watch
        self._started_at = core.clock.now()
        self._wanted = _Wanted()
        self._next: datetime | None = None
        self._clock_was_wrong = False
        self._looked_at: datetime | None = None  # as the wall clock had it
        core.feed.attach(self._wanted)

    def wake(self) -> None:
        """A schedule was added, edited, paused or resumed."""
        self._wanted.wake()

    def note_changes(self, changes: Changes) -> None:
        """Another manager of the database has changed something."""
        if changes.schedules:
            self.wake()

    def clock_state_at(self, now: datetime) -> ClockState:
        """The time and the clock by which schedules are decided."""
        believed = self._clock_watch.may_act()
        wrong = self._clock_was_wrong or not believed
        return ClockState(now, self._started_at, believed, wrong)

    async def run(self) -> None:
        """Acts until cancelled."""
        self._next, self._looked_at, self._clock_was_wrong = None, None, False
        self._wanted.add(Changes(templates=True))
        while True:
            try:
                await self.run_once()
            except StorageError as error:
                log.error("schedules wait for the database", extra={"error": str(error)})
                await asyncio.sleep(_RETRY)
            else:
                await self._wait()

    async def _wait(self) -> None:
        """Until something changes or is due. The wall clock may be set meanwhile."""
        while not self._has_work():
            pause = None
            if self._next:
                left = (self._next - self._core.clock.now()).total_seconds()
                pause = min(_LOOK_EVERY, left) if left > 0 else _LOOK_EVERY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.changed.wait()

    def _has_work(self) -> bool:
        if self._wanted.changed.is_set():
            return True
        if not self._clock_watch.may_act():
            return not self._clock_was_wrong  # which the next look remembers
        now = self._core.clock.now()
        went_back = self._looked_at is not None and now < self._looked_at
        return went_back or (self._next is not None and self._next <= now)

    async def run_once(self) -> None:
        """Does all that is to be done now.

        Raises:
            NotLeadingError: this manager does not lead, and something is due.
            StorageError: the database cannot be written now; the next look does it.
        """
        changes = self._wanted.take()
        try:
            if changes.templates:
                await self._check_templates()
            await self._start_waiting()
            if self._clock_watch.may_act():
                await self._start_due()
                self._clock_was_wrong = False
            else:
                self._clock_was_wrong = True
            await self._look_ahead()
        except BaseException:  # an edit that looks may be cancelled too
            self._wanted.add(changes | Changes(templates=True))
            raise

    async def _start_waiting(self) -> None:
        """Starts what has waited for the end of a task."""
        waiting = await self._core.database.read(schedules.waiting)
        ready = [row_id for row_id, task in waiting.items() if not task]
        for begin in range(0, len(ready), _AT_ONCE):
            await self._act_on(ready[begin : begin + _AT_ONCE])

    async def _start_due(self) -> None:
        database, now = self._core.database, self._core.clock.now
        await self._reset_handled()
        handled: set[int] = set()
        while ids := await database.read(lambda tx: schedules.due(tx, now(), _AT_ONCE)):
            if handled.issuperset(ids):  # they are due again already: others come first
                self._wanted.wake()
                break
            await self._act_on(ids)
            handled.update(ids)

    async def _look_ahead(self) -> None:
        """Finds out what the loop waits for."""
        database = self._core.database
        waiting = await database.read(schedules.waiting)
        self._wanted.tasks = frozenset(waiting.values())
        if 0 in waiting.values():  # that task has ended meanwhile
            self._wanted.wake()
        self._next = await database.read(schedules.next_due)

    async def _reset_handled(self) -> None:
        """If the wall clock has gone back, schedules may be handled up to a distant future."""
        now, before = self._core.clock.now(), self._looked_at
        if before is None or now < before:
            self._started_at = min(self._started_at, now)
            ahead = now + BACK_MAX
            while ids := await self._core.database.read(
                lambda tx: schedules.handled_ahead(tx, ahead, _AT_ONCE)
            ):
                await self._act_on(ids)
        self._looked_at = now

    async def _act_on(self, ids: Iterable[int]) -> None:
        """Acts on some schedules at once, whose transactions become one commit."""
        outcomes = await asyncio.gather(
            *(run_to_completion(self._act(row_id)) for row_id in ids), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _act(self, row_id: int) -> None:
        """Acts on one schedule until nothing of it is due."""
        async with self._maker.making_task_of(row_id):
            for _ in range(_ATTEMPTS):
                if not await self._act_once(row_id):
                    return

    async def _act_once(self, row_id: int) -> bool:
        """Whether there is more to do."""
        row = await self._core.database.read(lambda tx: schedules.by_id(tx, row_id))
        if row is None:
            return False
        task = await self._maker.try_to_make(row.spec)
        try:
            handled = await self._write(row, task)
        except CannotStartError as error:
            refused = ScheduledTask(None, task.newest, str(error))
            handled = await self._write(row, refused)
        return handled.again

    async def _write(self, row: ScheduleRow, task: ScheduledTask) -> HandledDueTimes:
        clock_state = self.clock_state_at(self._core.clock.now())
        start_context = StartContext(self._starter, self._starter.connections())
        handled = await self._core.plan(
            lambda tx: handle_due_times(tx, row, task, clock_state, start_context)
        )
        if handled.started:
            self._starter.announce(handled.task_id, handled.started)
        if handled.due:
            delay = (clock_state.now - handled.due).total_seconds()
            self._core.statistics.timings.schedule_delay.observe(delay)
        if handled.changed:
            log.info("schedule was due", extra={"schedule": row.spec.name, "task": handled.task_id})
            self._core.feed.publish(Changes(schedules=True))
        return handled

    async def _check_templates(self) -> None:
        """Finds out of which schedules no task can be made any more, or can be again."""
        database = self._core.database
        while ids := await database.read(lambda tx: schedules.unchecked(tx, _AT_ONCE)):
            with self._maker.keeping():
                for row_id in ids:
                    await self._check(row_id)
            self._core.feed.publish(Changes(schedules=True))

    async def _check(self, row_id: int) -> None:
        row = await self._core.database.read(lambda tx: schedules.by_id(tx, row_id))
        if row is None:
            return
        task = await self._maker.try_to_make(row.spec)

        def work(tx: Transaction) -> None:
            schedules.set_problem(tx, row, task.refused, task.newest)

        await self._core.plan(work)
