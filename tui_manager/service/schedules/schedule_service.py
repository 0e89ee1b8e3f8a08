"""ScheduleService: add, edit, list, pause, resume, run and delete schedules."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.ids import check_request_id
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.cron_and_zone import PREVIEW_MAX, check_will_fire, read_cron
from tui_manager.domain.schedules.schedule import (
    DUES_SHOWN,
    SCHEDULE_SORT_COLUMNS,
    SCHEDULES_MAX,
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
    SkipReason,
    check_schedule_name,
)
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.service.core.core import Core, NotLeadingError, run_to_completion
from tui_manager.service.schedules.audit_of_schedules import record, record_change
from tui_manager.service.schedules.handle_due_times import (
    CannotStartError,
    StartContext,
    skip_all,
)
from tui_manager.service.schedules.make_task import ScheduledTask, TaskMaker
from tui_manager.service.schedules.run_schedule import RunScheduleRequest, find, run_schedule
from tui_manager.service.schedules.schedule_loop import ScheduleLoop
from tui_manager.service.tasks.start_task import StartedTask, TaskStarter
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.files import file_sets
from tui_manager.storage.tables.schedules import schedule_runs, schedules, templates
from tui_manager.storage.tables.schedules.schedule_runs import Outcome
from tui_manager.storage.tables.schedules.schedules import NewSchedule, ScheduleRow

log = logging.getLogger(__name__)
T = TypeVar("T")


class ScheduleService:
    """What operators do with schedules. An actor is `user@terminal`."""

    def __init__(
        self, core: Core, starter: TaskStarter, maker: TaskMaker, loop: ScheduleLoop
    ) -> None:
        self._core = core
        self._database = core.database
        self._starter = starter
        self._maker = maker
        self._loop = loop

    async def add_schedule(self, spec: ScheduleSpec, actor: str, request_id: str = "") -> Schedule:
        """Stores a schedule, which is due from now on. The same request id returns the same one.

        Raises:
            InvalidInputError: the name, cron, zone, misfire, template, parameters or task file are
                wrong; a parameter is secret.
            NotFoundError: the manager does not have the files that the task file copies.
            IllegalMoveError: there is a schedule of this name, there are too many, the request id
                was used for another one, or the clock is not believed now.
        """
        request_id = check_request_id(request_id)
        task = await self._check(spec)
        new = NewSchedule(spec, _target(spec, task), task.newest)

        def work(tx: Transaction, now: datetime) -> Schedule:
            existing = request_id and schedules.added_by_request(tx, request_id, spec.name)
            if existing:
                return existing.schedule
            if schedules.exists(tx, spec.name):
                raise IllegalMoveError(f"There is a schedule {spec.name} already; edit that one.")
            if schedules.count(tx) >= SCHEDULES_MAX:
                raise IllegalMoveError(
                    f"There are {SCHEDULES_MAX} schedules, and no more are allowed; delete one."
                )
            _check_template_exists(tx, spec)
            self._check_clock(now)
            self._pin(tx, schedules.insert(tx, new, actor, now, request_id), task)
            return record_change(tx, now, actor, "add_schedule", new)

        return await self._change("schedule added", spec.name, work)

    async def edit_schedule(self, spec: ScheduleSpec, revision: int, actor: str) -> Schedule:
        """Gives the schedule of this name another description. Its history and a pause stay.

        Args:
            revision: that the operator has read.

        Raises:
            NotFoundError: there is no such schedule.
            InvalidInputError: as `add_schedule`.
            IllegalMoveError: it was edited since it was read, or the clock is not believed now.
        """
        task = await self._check(spec)
        new = NewSchedule(spec, _target(spec, task), task.newest)
        with contextlib.suppress(NotLeadingError):  # the leader looks all the time
            await self._loop.run_once()  # what is due by now follows the old description

        def work(tx: Transaction, now: datetime) -> Schedule:
            row = schedules.get(tx, spec.name)
            if row.schedule.revision != revision:
                raise IllegalMoveError(
                    f"The schedule {spec.name} was edited since it was read: it has revision "
                    f"{row.schedule.revision}, not {revision}. Read it again."
                )
            _check_template_exists(tx, spec)
            self._check_clock(now)
            with contextlib.suppress(InvalidInputError):  # the old ones cannot be read
                self._skip_all(tx, row, now)
            schedules.edit(tx, schedules.get(tx, spec.name), new, now)
            self._pin(tx, row.row_id, task)
            return record_change(tx, now, actor, "edit_schedule", new)

        return await self._change("schedule edited", spec.name, work)

    async def _check(self, spec: ScheduleSpec) -> ScheduledTask:
        spec.check()
        check_will_fire(read_cron(spec.cron, spec.zone), self._core.clock.now())
        return await self._maker.make(spec)

    def _pin(self, tx: Transaction, row_id: int, task: ScheduledTask) -> None:
        """Keeps the files that the own task file of a schedule copies; a template keeps its own.
        Raises NotFoundError if they are not stored."""
        own = task.spec.commands if task.spec and not task.newest else ()
        file_sets.name_in_schedule(tx, row_id, self._starter.files.use(tx, own))

    def _check_clock(self, now: datetime) -> None:
        """Raises IllegalMoveError while the clock is not believed: due times that are still to
        come would count as passed."""
        if not self._loop.clock_state_at(now).trusted:
            raise IllegalMoveError(
                f"The clock of the manager jumped to {now:%Y-%m-%d %H:%M:%S} UTC, and nobody has "
                "said that this is right. Schedules cannot be added, edited or resumed until the "
                "clock is back. If it is right, run: tui-manager clock accept"
            )

    def _skip_all(self, tx: Transaction, row: ScheduleRow, now: datetime) -> None:
        """Due times up to now that nobody handled get their row."""
        reason = SkipReason.PAUSED if row.schedule.paused else None
        skip_all(tx, row, self._loop.clock_state_at(now), reason)

    async def list_schedules(self, window: Window) -> Page[Schedule]:
        """Schedules by name, or in the order of the window, without the texts of their task files.
        Raises InvalidInputError."""
        window.check("schedules", SCHEDULE_SORT_COLUMNS)
        return await self._database.read(lambda tx: schedules.window(tx, window))

    async def get_schedule(self, name: str) -> ScheduleDetail:
        """One schedule with its next due times; none if cron or zone cannot be read now. Raises
        InvalidInputError, NotFoundError."""
        check_schedule_name(name)
        schedule = (await self._database.read(lambda tx: schedules.get(tx, name))).schedule
        if schedule.next is None:
            return ScheduleDetail(schedule)
        try:
            cron = read_cron(schedule.spec.cron, schedule.spec.zone)
        except InvalidInputError as error:
            return ScheduleDetail(replace(schedule, problem=str(error)))
        later = cron.next_dues(schedule.next, DUES_SHOWN - 1)
        return ScheduleDetail(schedule, (schedule.next, *later))

    async def list_schedule_runs(self, name: str, window: Window) -> Page[ScheduleRun]:
        """What became of the due times of a schedule, the newest first.

        Raises:
            InvalidInputError: the window is out of bounds, or has a text.
            NotFoundError: there is no such schedule.
        """
        check_schedule_name(name)
        window.check("due times")
        if window.text:
            raise InvalidInputError("text", "Due times cannot be filtered by a text; leave it out.")

        def work(tx: Transaction) -> Page[ScheduleRun]:
            return schedule_runs.window(tx, schedules.get(tx, name).row_id, window)

        return await self._database.read(work)

    async def preview_schedule(
        self, cron: str, zone: str, count: int = DUES_SHOWN
    ) -> Sequence[datetime]:
        """The next due times of a cron expression, from now on; fewer if it is not due more often.
        Raises InvalidInputError."""
        if not 1 <= count <= PREVIEW_MAX:
            raise InvalidInputError("count", f"Ask for 1 to {PREVIEW_MAX} due times, not {count}.")
        read, now = read_cron(cron, zone), self._core.clock.now()
        check_will_fire(read, now)
        return read.next_dues(now, count)

    async def pause_schedule(self, name: str, actor: str) -> None:
        """From now on nothing is due, and what waits for the end of a task does not start.

        Raises:
            InvalidInputError, NotFoundError: there can be no such schedule, or there is none.
            IllegalMoveError: it is paused already.
        """
        check_schedule_name(name)

        def work(tx: Transaction, now: datetime) -> None:
            row = schedules.get(tx, name)
            if not schedules.pause(tx, row.row_id, now):
                raise IllegalMoveError(f"The schedule {name} is paused already.")
            schedule_runs.end_wait(tx, row.row_id, Outcome(skipped=SkipReason.PAUSED), now)
            record(tx, now, actor, "pause_schedule", row.spec)

        await self._change("schedule paused", name, work)

    async def resume_schedule(self, name: str, actor: str) -> None:
        """Ends a pause. The due times that have passed meanwhile are one row.

        Raises:
            InvalidInputError, NotFoundError: there can be no such schedule, or there is none.
            InvalidInputError: its cron expression or its zone cannot be read now; edit it.
            IllegalMoveError: it is not paused, or the clock is not believed now.
        """
        check_schedule_name(name)

        def work(tx: Transaction, now: datetime) -> None:
            row = schedules.get(tx, name)
            if not row.schedule.paused:
                raise IllegalMoveError(f"The schedule {name} cannot be resumed: it is not paused.")
            self._check_clock(now)
            self._skip_all(tx, row, now)
            schedules.resume(tx, row.row_id)
            record(tx, now, actor, "resume_schedule", row.spec)

        await self._change("schedule resumed", name, work)

    async def delete_schedule(self, name: str, actor: str) -> None:
        """Deletes a schedule with its history. Its tasks stay, and what runs goes on.

        Raises InvalidInputError, NotFoundError: there can be no such schedule, or there is none.
        """
        check_schedule_name(name)

        def work(tx: Transaction, now: datetime) -> None:
            row = schedules.get(tx, name)
            schedules.delete(tx, row.row_id)
            record(tx, now, actor, "delete_schedule", row.spec)

        await self._change("schedule deleted", name, work)

    async def run_schedule(self, name: str, actor: str, request_id: str = "") -> int:
        """Starts its task now, whatever is due, also while it is paused; returns its task_id. The
        same request id returns the same task.

        Raises:
            InvalidInputError: no task can be made, or its target matches no host now.
            NotFoundError: there is no such schedule.
            IllegalMoveError: a task of it has not ended; the task cannot be started now; or the
                request id was used for another schedule.
        """
        check_schedule_name(name)
        return await run_to_completion(
            self._run(RunScheduleRequest(name, actor, check_request_id(request_id)))
        )

    async def _run(self, asked: RunScheduleRequest) -> int:
        row, existing = await self._database.read(lambda tx: find(tx, asked))
        if existing:
            return existing
        async with self._maker.making_task_of(row.row_id):
            return await self._make_and_start(asked, row)

    async def _make_and_start(self, asked: RunScheduleRequest, row: ScheduleRow) -> int:
        task = await self._maker.make(row.spec)
        start_context = StartContext(self._starter, self._starter.connections())
        now = self._core.clock.now

        def work(tx: Transaction) -> tuple[int, StartedTask | None]:
            return run_schedule(tx, asked, row, task, start_context, now())

        try:
            task_id, started = await self._database.write(work)
        except CannotStartError as error:
            raise error.cause from None
        if started:
            log.info("schedule was run", extra={"schedule": asked.name, "task": task_id})
            self._starter.announce(task_id, started)
            self._core.feed.publish(Changes(schedules=True))
        return task_id

    async def _change(self, event: str, name: str, work: Callable[[Transaction, datetime], T]) -> T:
        """Changes a schedule in one transaction; then the loop looks, and watchers are told."""

        def locked(tx: Transaction) -> T:
            schedules.lock(tx, name)
            return work(tx, self._core.clock.now())

        async def change() -> T:
            done = await self._database.write(locked)
            log.info(event, extra={"schedule": name})
            self._loop.wake()
            self._core.feed.publish(Changes(schedules=True))
            return done

        return await run_to_completion(change())


def _check_template_exists(tx: Transaction, spec: ScheduleSpec) -> None:
    """Raises InvalidInputError if the template, or its version, was deleted after the task was
    made. Until the end of the transaction it is not deleted."""
    use = spec.template
    if use is None:
        return
    templates.lock(tx, use.name)
    version = use.version or schedules.newest_version(tx, spec)
    try:
        templates.check_exists(tx, TemplateVersion(use.name, version))
    except NotFoundError as error:
        raise InvalidInputError("template", str(error)) from None


def _target(spec: ScheduleSpec, task: ScheduledTask) -> str:
    """What is stored as the target: of a template only what replaces its own."""
    if spec.template:
        return spec.template.target
    return task.spec.target if task.spec else ""
