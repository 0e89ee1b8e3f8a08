"""The table `schedules`: what is to be started when, and up to when that was done.

The rows of their due times are in `schedule_runs.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.lists.filter_language import fits, parse_filter
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window, page_of
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import (
    SCHEDULE_FIELDS,
    FilteredSchedule,
    Overlap,
    Schedule,
    ScheduleSpec,
    TemplateUse,
)
from tui_manager.storage.engine.statements import (
    from_datetime,
    from_timedelta,
    load_queries,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.schedules import schedule_runs

_SQL = load_queries("schedules.sql")


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule with what only the manager needs.

    Attributes:
        handled_until: due times up to here have their rows.
    """

    row_id: int
    schedule: Schedule
    handled_until: datetime

    @property
    def spec(self) -> ScheduleSpec:
        """As the operator gave it."""
        return self.schedule.spec


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """What is stored of a schedule that an operator describes.

    Attributes:
        target: of the task file, or the one that replaces the template's; filters of lists use it.
        checked_version: the newest version of the template with which it was checked; 0: none.
    """

    spec: ScheduleSpec
    target: str
    checked_version: int


def insert(tx: Transaction, new: NewSchedule, actor: str, now: datetime, request_id: str) -> int:
    """Adds a schedule, and returns its row id; its due times begin after `now`."""
    values = {
        **_values(new, now),
        "actor": actor,
        "now": from_datetime(now),
        "request_id": request_id or None,
    }
    row_id: int = tx.execute(_SQL["insert"], values).fetchall()[0]["id"]
    return row_id


def edit(tx: Transaction, row: ScheduleRow, new: NewSchedule, now: datetime) -> None:
    """Gives it another description, whose due times begin after `now` and what was handled."""
    after = max(row.handled_until, now)
    tx.execute(_SQL["edit"], {**_values(new, after), "id": row.row_id})


def _values(new: NewSchedule, after: datetime) -> dict[str, object]:
    spec, template = new.spec, new.spec.template
    return {
        "name": spec.name,
        "cron": " ".join(spec.cron.split()),
        "zone": spec.zone,
        "overlap": spec.overlap,
        "misfire": from_timedelta(spec.misfire),
        "template": template.name if template else "",
        "template_version": template.version if template else 0,
        "parameters": json.dumps(dict(template.parameters) if template else {}),
        "target": new.target,
        "task_file": spec.task_file,
        "after": from_datetime(after),
        "next_due": _next_due(spec, after),
        "checked_version": new.checked_version,
    }


def _next_due(spec: ScheduleSpec, after: datetime) -> int | None:
    due = read_cron(spec.cron, spec.zone).next_due(after)
    return None if due is None else from_datetime(due)


def lock(tx: Transaction, name: str) -> None:
    """Locks a schedule until the end of the transaction: another manager that changes it, or starts
    its task, waits."""
    tx.execute(_SQL["lock"], {"name": name})


def get(tx: Transaction, name: str) -> ScheduleRow:
    """One schedule. Raises NotFoundError."""
    row = tx.execute(_SQL["by_name"], {"name": name}).fetchone()
    if row is None:
        raise NotFoundError(f"There is no schedule {name}.")
    return _row(tx, row)


def exists(tx: Transaction, name: str) -> bool:
    """Whether there is a schedule of this name."""
    return tx.execute(_SQL["by_name"], {"name": name}).fetchone() is not None


def by_id(tx: Transaction, row_id: int) -> ScheduleRow | None:
    """One schedule; None: it was deleted."""
    row = tx.execute(_SQL["by_id"], {"id": row_id}).fetchone()
    return row and _row(tx, row)


def added_by_request(tx: Transaction, request_id: str, name: str) -> ScheduleRow | None:
    """The schedule of this name that a request has added; None: it has added none.

    Raises:
        IllegalMoveError: it has added another one.
    """
    row = tx.execute(_SQL["of_request"], {"request_id": request_id}).fetchone()
    if row is not None and row["name"] != name:
        raise IllegalMoveError(
            f"The request id {request_id} has added the schedule {row['name']}, which is another "
            "one; take a new id for each schedule."
        )
    return row and _row(tx, row)


def count(tx: Transaction) -> int:
    """How many schedules there are."""
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


def running_task(tx: Transaction, row_id: int) -> int:
    """The newest task of a schedule that has not ended; 0: all have."""
    row = tx.execute(_SQL["running"], {"id": row_id}).fetchone()
    return row["id"] if row else 0


def set_task(tx: Transaction, row_id: int, task_id: int) -> None:
    """Stores that the schedule has started this task."""
    tx.execute(_SQL["set_task"], {"id": row_id, "task_id": task_id})


def handle(tx: Transaction, row: ScheduleRow, until: datetime) -> None:
    """Stores that all due times up to an instant have their rows."""
    values = {
        "id": row.row_id,
        "handled_until": from_datetime(until),
        "next_due": _next_due(row.spec, until),
    }
    tx.execute(_SQL["handle"], values)


def set_unreadable(tx: Transaction, row_id: int, problem: str, until: datetime) -> None:
    """Stores that cron or zone cannot be read. Nothing is due until an edit.

    Args:
        problem: a sentence that says why.
        until: due times up to here have their rows.
    """
    values = {"id": row_id, "problem": problem, "handled_until": from_datetime(until)}
    tx.execute(_SQL["set_unreadable"], values)


def pause(tx: Transaction, row_id: int, now: datetime) -> bool:
    """Pauses a schedule, so that nothing is due any more; False: it was paused already."""
    return bool(tx.execute(_SQL["pause"], {"id": row_id, "now": from_datetime(now)}).rowcount)


def resume(tx: Transaction, row_id: int) -> bool:
    """Ends a pause; False: it was not paused."""
    return bool(tx.execute(_SQL["resume"], {"id": row_id}).rowcount)


def delete(tx: Transaction, row_id: int) -> None:
    """Deletes a schedule with its history; its tasks stay."""
    tx.execute(_SQL["delete"], {"id": row_id})


def due(tx: Transaction, now: datetime, limit: int) -> list[int]:
    """Row ids of schedules that are due; the one that was due first comes first."""
    values = {"now": from_datetime(now), "limit": limit}
    return [row["id"] for row in tx.execute(_SQL["due"], values)]


def handled_ahead(tx: Transaction, now: datetime, limit: int) -> list[int]:
    """Row ids of schedules whose due times were handled up to after an instant."""
    values = {"now": from_datetime(now), "limit": limit}
    return [row["id"] for row in tx.execute(_SQL["handled_ahead"], values)]


def next_due(tx: Transaction) -> datetime | None:
    """When the next schedule is due; None: none is."""
    return to_datetime(tx.execute(_SQL["next_due"]).fetchone()["next_due"])


def waiting(tx: Transaction) -> dict[int, int]:
    """Schedules with a due time that waits, by row id: the task for whose end it waits; 0: that has
    ended."""
    return {row["schedule"]: row["task"] or 0 for row in tx.execute(_SQL["waiting"])}


def newest_version(tx: Transaction, spec: ScheduleSpec) -> int:
    """The newest version of the template of a schedule; 0: it has none, or that was deleted."""
    if spec.template is None:
        return 0
    row = tx.execute(_SQL["newest_version"], {"template": spec.template.name}).fetchone()
    return row["version"] if row else 0


def task_size(tx: Transaction, row_id: int) -> int:
    """How large the task file or the template of a schedule is: characters or bytes; 0: it was
    deleted."""
    row = tx.execute(_SQL["task_size"], {"id": row_id}).fetchone()
    return row["size"] if row else 0


def unchecked(tx: Transaction, limit: int) -> list[int]:
    """Row ids of schedules whose template was saved or deleted since they were looked at."""
    return [row["id"] for row in tx.execute(_SQL["unchecked"], {"limit": limit})]


def set_problem(tx: Transaction, row: ScheduleRow, problem: str, version: int) -> None:
    """Stores why no task can be made from its template, if it was not edited meanwhile.

    Args:
        problem: a sentence; empty: one can be made.
        version: the newest version of the template.
    """
    values = {
        "id": row.row_id,
        "revision": row.schedule.revision,
        "problem": problem,
        "version": version,
    }
    tx.execute(_SQL["set_problem"], values)


def of_template(tx: Transaction, template: str) -> tuple[str, ...]:
    """Names of the schedules that use a template."""
    return tuple(row["name"] for row in tx.execute(_SQL["of_template"], {"template": template}))


def window(tx: Transaction, window: Window) -> Page[Schedule]:
    """Schedules by name or in the order of the window, without the texts of their task files;
    `faults_only`: a problem, or nothing ran at the last due time. Raises InvalidInputError("text"):
    its filter is wrong."""
    values = {
        "faults": window.faults_only,
        "sort": window.sort,
        "descending": window.descending,
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
    }
    if window.text:
        return _filtered(tx, window, values)
    rows = tx.execute(_SQL["window"], values).fetchall()
    first = rows or tx.execute(_SQL["window"], {**values, "offset": 0, "limit": 1}).fetchall()
    matching = first[0]["matching"] if first else 0
    return Page([_schedule(tx, row) for row in rows], matching, count(tx))


def _filtered(tx: Transaction, window: Window, values: Mapping[str, object]) -> Page[Schedule]:
    """A filter does not look at the last run of a schedule: it is read for what is shown only."""
    passes, total = fits(parse_filter(window.text), SCHEDULE_FIELDS), count(tx)
    every = tx.execute(_SQL["window"], {**values, "offset": 0, "limit": total}).fetchall()
    found = [row for row in every if passes(FilteredSchedule(_without_last(row), row["target"]))]
    page = page_of(found, window, total)
    return Page([_schedule(tx, row) for row in page.rows], page.matching, total)


def _row(tx: Transaction, row: Row) -> ScheduleRow:
    handled_until = to_datetime(row["handled_until"])
    assert handled_until is not None
    return ScheduleRow(row["id"], _schedule(tx, row), handled_until)


def _schedule(tx: Transaction, row: Row) -> Schedule:
    return replace(_without_last(row), last=schedule_runs.last(tx, row["id"]))


def _without_last(row: Row) -> Schedule:
    created_at, paused = to_datetime(row["created_at"]), row["paused_at"] is not None
    assert created_at is not None
    return Schedule(
        spec=_spec(row),
        revision=row["revision"],
        paused=paused,
        next=None if paused else to_datetime(row["next_due"]),
        last=None,
        created_by=row["created_by"],
        created_at=created_at,
        problem=row["problem"],
    )


def _spec(row: Row) -> ScheduleSpec:
    template = None
    if row["template"]:
        template = TemplateUse(
            row["template"],
            row["template_version"],
            json.loads(row["parameters"]),
            row["target"],
        )
    return ScheduleSpec(
        name=row["name"],
        cron=row["cron"],
        zone=row["zone"],
        overlap=Overlap(row["overlap"]),
        misfire=timedelta(microseconds=row["misfire"]),
        template=template,
        task_file=row["task_file"],
    )
