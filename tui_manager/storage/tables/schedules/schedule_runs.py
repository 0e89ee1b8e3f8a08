"""The table `schedule_runs`: what became of the due times of schedules, one row each, or one for
several that nobody handled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.schedules.schedule import ScheduleRun, SkipReason
from tui_manager.domain.schedules.schedule_decision import Skipped
from tui_manager.storage.engine.metric_counters import Act, count
from tui_manager.storage.engine.statements import from_datetime, load_queries, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.manager import notifications

_SQL = load_queries("schedule_runs.sql")
ROWS_KEPT = 50_000  # of one schedule: 34 days of one that is due each minute


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a due time; neither a task nor a reason: it waits.

    Attributes:
        detail: a sentence; may be empty.
    """

    task_id: int = 0
    skipped: SkipReason | None = None
    detail: str = ""


WAITS = Outcome()


def insert(
    tx: Transaction,
    schedule: int,
    due: datetime,
    outcome: Outcome,
    now: datetime,
    *,
    by_operator: bool = False,
    request_id: str = "",
) -> None:
    """Adds the row of one due time, or of a start by an operator."""
    _insert(
        tx,
        {
            **_values(schedule, outcome, now),
            "due": from_datetime(due),
            "first_due": None,
            "count": 1,
            "by_operator": by_operator,
            "request_id": request_id or None,
            "decided_at": None if outcome == WAITS else from_datetime(now),
        },
    )
    if not by_operator:
        _count(outcome)


def insert_skipped(
    tx: Transaction, schedule: int, skipped: Skipped, now: datetime, detail: str = ""
) -> None:
    """Adds the row of due times at which nothing ran."""
    _insert(
        tx,
        {
            **_values(schedule, Outcome(0, skipped.reason, detail), now),
            "due": from_datetime(skipped.due),
            "first_due": from_datetime(skipped.first) if skipped.count > 1 else None,
            "count": skipped.count,
            "by_operator": False,
            "request_id": None,
            "decided_at": from_datetime(now),
        },
    )
    count(Act.SCHEDULE_SKIPPED, skipped.reason, number=skipped.count)


def _count(outcome: Outcome) -> None:
    if outcome.skipped:
        count(Act.SCHEDULE_SKIPPED, outcome.skipped)
    elif outcome.task_id:
        count(Act.SCHEDULE_STARTED)


def _insert(tx: Transaction, values: dict[str, Any]) -> None:
    tx.execute(_SQL["insert"], values)
    _notify(tx, values, {name: values[name] for name in ("due", "first_due", "count")})
    tx.execute(_SQL["forget_old"], {"id": values["id"], "kept": ROWS_KEPT})


def _notify(tx: Transaction, values: Mapping[str, Any], due: Mapping[str, int | None]) -> None:
    if values["skipped"]:
        detail = {**due, "detail": values["detail"]}
        reason = SkipReason(values["skipped"])
        notifications.add_skip(tx, values["id"], reason, values["now"], detail)


def _values(schedule: int, outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "id": schedule,
        "task_id": outcome.task_id or None,
        "skipped": outcome.skipped or "",
        "detail": outcome.detail,
        "now": from_datetime(now),
    }


def end_wait(tx: Transaction, schedule: int, outcome: Outcome, now: datetime) -> None:
    """Stores what became of the due time that has waited, if one has."""
    values = _values(schedule, outcome, now)
    for row in tx.execute(_SQL["end_wait"], values).fetchall():
        _notify(tx, values, {"due": row["due"], "first_due": None, "count": 1})
        _count(outcome)


def waits(tx: Transaction, schedule: int) -> bool:
    """Whether a due time of a schedule waits."""
    return tx.execute(_SQL["waiting"], {"id": schedule}).fetchone() is not None


def started_by_request(tx: Transaction, request_id: str, schedule: str) -> int | None:
    """The task of a schedule that a request has started; None: it has started none.

    Raises:
        IllegalMoveError: it has started a task of another schedule.
    """
    row = tx.execute(_SQL["of_request"], {"request_id": request_id}).fetchone()
    if row is None:
        return None
    if row["name"] != schedule:
        raise IllegalMoveError(
            f"The request id {request_id} has started a task of the schedule {row['name']}; take a "
            "new id for each start."
        )
    task_id: int = row["task_id"]
    return task_id


def last(tx: Transaction, schedule: int) -> ScheduleRun | None:
    """The newest row of a schedule; None: nothing was due yet."""
    row = tx.execute(_SQL["last"], {"id": schedule}).fetchone()
    return row and _run(row)


def window(tx: Transaction, schedule: int, window: Window) -> Page[ScheduleRun]:
    """Rows of a schedule, the newest first; `faults_only`: those at which nothing ran."""
    values = {
        "id": schedule,
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
    }
    query = "faulty_window" if window.faults_only else "window"
    rows = tx.execute(_SQL[query], values).fetchall()
    total = _number(tx, "count", schedule)
    matching = _number(tx, "count_faults", schedule) if window.faults_only else total
    return Page([_run(row) for row in rows], matching, total)


def _number(tx: Transaction, query: str, schedule: int) -> int:
    found: int = tx.execute(_SQL[query], {"id": schedule}).fetchone()["found"]
    return found


def _run(row: Row) -> ScheduleRun:
    due = to_datetime(row["due"])
    assert due is not None
    return ScheduleRun(
        run_id=row["id"],
        due=due,
        task_id=row["task_id"] or 0,
        skipped=SkipReason(row["skipped"]) if row["skipped"] else None,
        detail=row["detail"],
        count=row["count"],
        first_due=to_datetime(row["first_due"]),
        by_operator=bool(row["by_operator"]),
        decided_at=to_datetime(row["decided_at"]),
    )
