"""The start of a schedule's task by an operator: its transaction."""

from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import IllegalMoveError
from tui_manager.service.schedules.handle_due_times import StartContext, start_task_of
from tui_manager.service.schedules.make_task import ScheduledTask
from tui_manager.service.tasks.start_task import StartedTask
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.schedules import schedule_runs, schedules
from tui_manager.storage.tables.schedules.schedule_runs import Outcome
from tui_manager.storage.tables.schedules.schedules import ScheduleRow


@dataclass(frozen=True, slots=True)
class RunScheduleRequest:
    """What an operator asks for."""

    name: str
    actor: str
    request_id: str


def find(tx: Transaction, asked: RunScheduleRequest) -> tuple[ScheduleRow, int]:
    """The schedule, and the task that the same request has started; 0: none."""
    row = schedules.get(tx, asked.name)
    if not asked.request_id:
        return row, 0
    return row, schedule_runs.started_by_request(tx, asked.request_id, asked.name) or 0


def run_schedule(
    tx: Transaction,
    asked: RunScheduleRequest,
    row: ScheduleRow,
    task: ScheduledTask,
    start_context: StartContext,
    now: datetime,
) -> tuple[int, StartedTask | None]:
    """Starts a task of a schedule; without a StartedTask the request had started it before."""
    schedules.lock(tx, asked.name)
    found, existing = find(tx, asked)
    if existing:
        return existing, None
    if found.row_id != row.row_id or found.spec != row.spec or task.spec is None:
        raise IllegalMoveError(f"The schedule {asked.name} is being edited; run it again.")
    if running := schedules.running_task(tx, row.row_id):
        raise IllegalMoveError(
            f"The schedule {asked.name} cannot be run now: its task {running} has not ended."
        )
    task_id, started = start_task_of(tx, row, task.spec, start_context, asked.actor)
    schedule_runs.insert(
        tx,
        row.row_id,
        now,
        Outcome(task_id),
        now,
        by_operator=True,
        request_id=asked.request_id,
    )
    more = {"schedule": asked.name}
    audit.record(tx, from_datetime(now), asked.actor, "run_schedule", task_id=task_id, more=more)
    return task_id, started
