"""The JSON of an event, as receivers get it. Names and shapes must not change.

It is made again for each try, from what the database says at that time. So a receiver does not get
what is no longer true.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.manager.notification import HOSTS_NAMED, Event
from tui_manager.domain.presentation.json_fields import Shape, task_shape, timestamp
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.tasks.task_map import FailureGroup
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import notifications
from tui_manager.storage.tables.manager.notifications import Notification
from tui_manager.storage.tables.schedules import schedules
from tui_manager.storage.tables.tasks import tasks
from tui_manager.storage.views import task_overview

TEST = "test"  # the event of a test
_FAILURES = 20  # ways in which commands of a task failed
_SECOND = 1_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Sender:
    """The manager that tells.

    Attributes:
        name: by which operators know it.
    """

    manager_id: str
    name: str


def encode(shape: Shape) -> bytes:
    """What goes over the wire."""
    return json.dumps(shape, separators=(",", ":")).encode()


def test_shape(sender: Sender, event_id: str, now: datetime) -> Shape:
    """An event that only tests whether the receiver can be reached."""
    return _head(sender, event_id, TEST, now) | {"test": True}


def event_shape(
    tx: Transaction, sender: Sender, told: Notification, after_failures: int
) -> Shape | None:
    """The JSON of one notification; None: its receiver is not told.

    Args:
        after_failures: from so many failures of a task in a row on it wants to know.
    """
    head = _head(sender, told.event_id, told.event, told.at)
    about = _about(tx, told, after_failures)
    return None if about is None else head | about | {"test": False}


def _head(sender: Sender, event_id: str, event: str, at: datetime) -> Shape:
    return {
        "id": event_id,
        "event": event,
        "at": timestamp(at),
        "manager": {"manager_id": sender.manager_id, "name": sender.name},
    }


def _about(tx: Transaction, told: Notification, after_failures: int) -> Shape | None:
    match told.event:
        case Event.HOST_LOST | Event.HOST_BACK:
            return _hosts(tx, told)
        case Event.SCHEDULE_SKIPPED:
            return _schedule(tx, told.detail or {})
        case Event.CLOCK_JUMPED:
            detail = told.detail or {}
            ahead = round(detail["ahead"] / _SECOND, 3)
            return {"clock": {"ahead_seconds": ahead, "at_start": detail["at_start"]}}
        case _:
            try:
                task = tasks.detail(tx, told.task_id).task
            except NotFoundError:  # it was pruned
                return None
            return _task(tx, told, task, after_failures)


def _task(tx: Transaction, told: Notification, task: Task, after_failures: int) -> Shape | None:
    shape: Shape = {"task": task_shape(task)}
    match told.event:
        case Event.HOLD_WAITS:
            still_held = task.hold and task.hold.batch == (told.detail or {})["batch"]
            return shape if still_held else None
        case Event.TASK_ENDED if task.status.ended:
            failed = task.status is TaskStatus.FAILED
            more = {"failures": _failures(tx, told.task_id)} if failed else {}
            return shape | {"corrected": told.corrected} | more
        case Event.TASK_FAILED if task.status is TaskStatus.FAILED:
            count = notifications.failures_before(tx, told.task_id) + 1
            if count < after_failures:
                return None
            shape |= {"corrected": told.corrected, "failures_in_a_row": count}
            return shape | {"failures": _failures(tx, told.task_id)}
        case Event.TASK_RECOVERED if task.status is TaskStatus.COMPLETED:
            count = _failures_before_recovery(tx, told)
            return shape | {"failures_in_a_row": count} if count >= after_failures else None
        case _:  # it runs again, or ended otherwise; that is another event
            return None


def _failures_before_recovery(tx: Transaction, told: Notification) -> int:
    """How many failures in a row have ended with this task; 0: none, or there are newer ones."""
    count = notifications.failures_before(tx, told.task_id)
    if not told.corrected:
        return count
    if notifications.has_ended_since(tx, told.task_id):
        return 0
    return count + 1  # its own end, which was not true


def _failures(tx: Transaction, task_id: int) -> list[Shape]:
    groups = task_overview.summaries(tx, [task_id])[task_id].failures
    return [_failure(group) for group in groups[:_FAILURES]]


def _failure(group: FailureGroup) -> Shape:
    return {
        "status": group.status,
        "reason": group.reason,
        "exit_code": group.exit_code,
        "signal": group.signal,
        "hosts": group.hosts,
        "names": group.names,
    }


def _hosts(tx: Transaction, told: Notification) -> Shape | None:
    names = notifications.names_of_hosts(tx, (told.detail or {})["hosts"])
    if not names:  # they were removed
        return None
    return {"hosts": {"count": len(names), "names": names[:HOSTS_NAMED]}}


def _schedule(tx: Transaction, detail: Mapping[str, Any]) -> Shape | None:
    row = schedules.by_id(tx, detail["schedule"])
    if row is None:  # it was deleted
        return None
    first = detail["first_due"] or detail["due"]
    return {
        "schedule": {
            "name": row.spec.name,
            "cron": row.spec.cron,
            "zone": row.spec.zone,
            "due": timestamp(to_datetime(detail["due"])),
            "first_due": timestamp(to_datetime(first)),
            "count": detail["count"],
            "skipped": detail["reason"],
            "detail": detail["detail"],
            "next": timestamp(row.schedule.next),
        }
    }
