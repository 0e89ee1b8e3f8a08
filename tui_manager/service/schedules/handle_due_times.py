"""The transaction at a due time: decides what becomes of it, and starts the task, completely or not
at all."""

from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, ManagerError, StorageError
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import ACTOR, SkipReason
from tui_manager.domain.schedules.schedule_decision import (
    ClockState,
    ScheduleState,
    Skipped,
    decide,
    skip_missed,
)
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.service.schedules.make_task import REFUSALS, ScheduledTask
from tui_manager.service.tasks.start_task import Connections, StartedTask, TaskStarter
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.schedules import schedule_runs, schedules
from tui_manager.storage.tables.schedules.schedule_runs import WAITS, Outcome
from tui_manager.storage.tables.schedules.schedules import ScheduleRow


class CannotStartError(Exception):
    """The task of a schedule cannot be started; `cause` says why. All is rolled back, and the loop
    acts again with its sentence in the ScheduledTask."""

    def __init__(self, cause: ManagerError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class StartContext:
    """What a transaction needs to start a task."""

    starter: TaskStarter
    connections: Connections


@dataclass(frozen=True, slots=True)
class HandledDueTimes:
    """The result of one transaction.

    Attributes:
        changed: rows were written.
        task_id: that was started; 0: none.
        again: the schedule or its template has changed meanwhile, or there is more to decide.
        due: the due time at which the task was started; None: none was, or it has waited.
    """

    changed: bool = False
    task_id: int = 0
    started: StartedTask | None = None
    again: bool = False
    due: datetime | None = None


def handle_due_times(
    tx: Transaction,
    row: ScheduleRow,
    task: ScheduledTask,
    clock_state: ClockState,
    start_context: StartContext,
) -> HandledDueTimes:
    """Decides about all due times of a schedule up to now, stores what became of them, and starts
    at most one task.

    Args:
        row: as it was when the task was made.

    Raises CannotStartError: see there.
    """
    schedules.lock(tx, row.spec.name)
    found = schedules.by_id(tx, row.row_id)
    if found is None:
        return HandledDueTimes()
    if found.spec != row.spec or schedules.newest_version(tx, found.spec) != task.newest:
        return HandledDueTimes(again=True)
    now = clock_state.now
    try:
        state = _state(tx, found)
    except InvalidInputError as error:
        return _refuse(tx, found, f"{error} Edit the schedule.", clock_state)
    decision = decide(state, clock_state)
    write_skipped(tx, found, decision.skipped, now, state)
    if decision.wait:
        schedule_runs.insert(tx, found.row_id, decision.wait, WAITS, now)
    handled = HandledDueTimes(
        changed=bool(decision.skipped or decision.wait), again=decision.start_waiting
    )
    if decision.start or decision.start_waiting:
        outcome, started = _start(tx, found, task, start_context)
        if decision.start:
            schedule_runs.insert(tx, found.row_id, decision.start, outcome, now)
        else:
            schedule_runs.end_wait(tx, found.row_id, outcome, now)
        due = decision.start if started else None
        handled = HandledDueTimes(
            True, outcome.task_id, started, again=decision.start_waiting, due=due
        )
    if decision.handled_until != found.handled_until:
        schedules.handle(tx, found, decision.handled_until)
    return handled


def _refuse(
    tx: Transaction, row: ScheduleRow, problem: str, clock_state: ClockState
) -> HandledDueTimes:
    """What the schedule says about its due times cannot be read now: it may be that its zone is in
    no list of this machine. It is not due again until it is edited."""
    refused, due = Outcome(0, SkipReason.REFUSED, problem), row.schedule.next
    schedule_runs.end_wait(tx, row.row_id, refused, clock_state.now)
    if clock_state.trusted and due and due <= clock_state.now:
        schedule_runs.insert(tx, row.row_id, due, refused, clock_state.now)
    until = clock_state.now if clock_state.trusted else row.handled_until
    schedules.set_unreadable(tx, row.row_id, problem, until)
    return HandledDueTimes(changed=True)


def _state(tx: Transaction, row: ScheduleRow) -> ScheduleState:
    spec = row.spec
    return ScheduleState(
        cron=read_cron(spec.cron, spec.zone),
        overlap=spec.overlap,
        misfire=spec.misfire,
        handled_until=row.handled_until,
        running=schedules.running_task(tx, row.row_id),
        waits=schedule_runs.waits(tx, row.row_id),
        paused=row.schedule.paused,
    )


def _start(
    tx: Transaction, row: ScheduleRow, task: ScheduledTask, start_context: StartContext
) -> tuple[Outcome, StartedTask | None]:
    if task.spec is None or task.refused:
        return Outcome(0, SkipReason.REFUSED, task.refused), None
    task_id, started = start_task_of(tx, row, task.spec, start_context, f"{ACTOR}{row.spec.name}")
    return Outcome(task_id), started


def start_task_of(
    tx: Transaction, row: ScheduleRow, spec: TaskSpec, start_context: StartContext, actor: str
) -> tuple[int, StartedTask]:
    """Creates and starts a task of a schedule. Raises CannotStartError."""
    try:
        created, started = start_context.starter.create_and_start(
            tx, spec, start_context.connections, actor
        )
    except (*REFUSALS, StorageError) as error:  # the latter: too little disk is free
        raise CannotStartError(error) from error
    schedules.set_task(tx, row.row_id, created.task_id)
    return created.task_id, started


def skip_all(
    tx: Transaction, row: ScheduleRow, clock_state: ClockState, reason: SkipReason | None = None
) -> None:
    """Writes the rows of all due times up to now that were not handled, and starts nothing.

    Args:
        reason: of all of them; None: why they were missed.

    Raises InvalidInputError: the cron expression or the zone of the row cannot be read.
    """
    state = _state(tx, row)
    if row.handled_until <= clock_state.now:
        skipped = skip_missed(state, clock_state.now, clock_state, reason)
        write_skipped(tx, row, skipped, clock_state.now, state)
        schedules.handle(tx, row, clock_state.now)


def write_skipped(
    tx: Transaction,
    row: ScheduleRow,
    skipped: tuple[Skipped, ...],
    now: datetime,
    state: ScheduleState,
) -> None:
    """Adds a row for each."""
    for one in skipped:
        schedule_runs.insert_skipped(tx, row.row_id, one, now, _detail(one, state))


def _detail(skipped: Skipped, state: ScheduleState) -> str:
    if skipped.reason is not SkipReason.OVERLAP:
        return ""
    if state.waits:
        return f"Task {state.running} had not ended, and an earlier due time waited for its end."
    return f"Task {state.running} had not ended."
