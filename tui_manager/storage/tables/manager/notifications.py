"""The tables `notifications`, which waits for delivery, `wanted_events`, which says who wants what,
and `lost_hosts`. The state of each receiver is in `receivers.py`.

`add` and similar functions run in the transaction of the event itself. Without receivers they cost
one look at `wanted_events`, which is empty then.
"""

import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.manager.notification import AFTER_FAILURES_MAX, Event
from tui_manager.domain.schedules.schedule import SkipReason
from tui_manager.domain.status import TaskStatus
from tui_manager.storage.engine.statements import fetch_ids, load_queries, pack_values, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("notifications.sql")
_OUTCOMES = {
    TaskStatus.COMPLETED: Event.TASK_RECOVERED,
    TaskStatus.FAILED: Event.TASK_FAILED,
    TaskStatus.CANCELED: Event.TASK_ENDED,
}


@dataclass(frozen=True, slots=True)
class Notification:
    """One event for one receiver.

    Attributes:
        event_id: the same in each try.
        task_id: of the task that it is about; 0: none.
        corrected: the task had ended before, and this end replaces that one.
        detail: what the event is about, if it is not in the rows of the task.
        gathered: nothing more is added to its hosts.
    """

    row_id: int
    event: Event
    event_id: str
    at: datetime
    task_id: int = 0
    corrected: bool = False
    detail: Mapping[str, Any] | None = None
    gathered: bool = False


def add(
    tx: Transaction,
    event: Event,
    now: int,
    detail: Mapping[str, object],
    task_id: int | None = None,
) -> None:
    """Something has happened."""
    if not _some_are_wanted(tx):
        return
    values = {
        "event": event,
        "event_id": str(uuid.uuid4()),
        "at": now,
        "task_id": task_id,
        "detail": json.dumps(detail),
    }
    tx.execute(_SQL["add"], values)


def _some_are_wanted(tx: Transaction) -> bool:
    return tx.execute(_SQL["some_are_wanted"]).fetchone() is not None


def add_end_of_task(
    tx: Transaction, task_id: int, status: TaskStatus, now: int, *, corrected: bool = False
) -> None:
    """A task has ended. Whether a completed one has recovered is found out when it is delivered.

    Args:
        corrected: it had ended already, and this end replaces that one. A task that ran again in
            between is known.
    """
    if not _some_are_wanted(tx):
        return
    values = {
        "ended": Event.TASK_ENDED,
        "outcome": _OUTCOMES[status],
        "ended_id": str(uuid.uuid4()),
        "outcome_id": str(uuid.uuid4()),
        "at": now,
        "task_id": task_id,
        "corrected": corrected,
    }
    tx.execute(_SQL["add_end_of_task"], values)


def add_skip(
    tx: Transaction,
    schedule: int,
    reason: SkipReason,
    now: int,
    detail: Mapping[str, object],
) -> None:
    """A schedule has started no task when it was due. A pause is no news: an operator wanted it."""
    if reason is not SkipReason.PAUSED:
        more = {"schedule": schedule, "reason": reason, **detail}
        add(tx, Event.SCHEDULE_SKIPPED, now, more)


def oldest(tx: Transaction, receiver: str) -> Notification | None:
    """The notification that a receiver gets next; None: there is none."""
    row = tx.execute(_SQL["oldest"], {"receiver": receiver}).fetchone()
    return row and _notification(row)


def newest(tx: Transaction) -> int:
    """The number of the newest notification; 0: none waits."""
    return tx.execute(_SQL["newest"]).fetchone()["newest"] or 0


def has_more_than(tx: Transaction, receiver: str, kept: int) -> bool:
    """Whether more than so many wait for a receiver."""
    values = {"receiver": receiver, "kept": kept}
    return tx.execute(_SQL["more_than"], values).fetchone() is not None


def _notification(row: Row) -> Notification:
    at = to_datetime(row["at"])
    assert at is not None
    return Notification(
        row_id=row["id"],
        event=Event(row["event"]),
        event_id=row["event_id"],
        at=at,
        task_id=row["task_id"] or 0,
        corrected=bool(row["corrected"]),
        detail=json.loads(row["detail"]),
        gathered=bool(row["gathered"]),
    )


def remove(tx: Transaction, row_ids: Iterable[int]) -> None:
    """These are delivered, or never will be."""
    tx.executemany(_SQL["remove"], [{"id": row_id} for row_id in row_ids])


def remove_old(tx: Transaction, receiver: str, before: int) -> int:
    """Removes those of a receiver from before an instant; returns how many."""
    values = {"receiver": receiver, "before": before}
    return tx.execute(_SQL["remove_old"], values).rowcount


def drop_oldest(tx: Transaction, receiver: str, kept: int) -> int:
    """Keeps only so many, the newest ones, of a receiver; returns how many were dropped."""
    values = {"receiver": receiver, "kept": kept}
    return tx.execute(_SQL["drop_oldest"], values).rowcount


def of_hosts(tx: Transaction, receiver: str, first: Notification) -> list[Notification]:
    """What a receiver can be told together with a notification of lost or returned hosts: the
    notifications that follow it, up to one that says the opposite."""
    values = {"receiver": receiver, "first": first.row_id}
    found: list[Notification] = []
    for row in tx.execute(_SQL["of_hosts"], values):
        one = _notification(row)
        if one.event is not first.event:
            break
        found.append(one)
    return found


def gather(tx: Transaction, together: list[Notification]) -> None:
    """Makes one notification of several of lost, or of returned, hosts."""
    first, *others = together
    hosts = sorted({host for one in together for host in (one.detail or {})["hosts"]})
    values = {"id": first.row_id, "detail": json.dumps({"hosts": hosts})}
    tx.execute(_SQL["gather"], values)
    remove(tx, [one.row_id for one in others])


def failures_before(tx: Transaction, task_id: int) -> int:
    """How often in a row the same task had failed before this one ended."""
    values = {"task_id": task_id, "limit": AFTER_FAILURES_MAX}
    count = 0
    for row in tx.execute(_SQL["earlier_ends"], values):
        if row["status"] != TaskStatus.FAILED:
            break
        count += 1
    return count


def has_ended_since(tx: Transaction, task_id: int) -> bool:
    """Whether the same task has ended again after this one."""
    return tx.execute(_SQL["later_end"], {"task_id": task_id}).fetchone() is not None


def lost_hosts(tx: Transaction) -> set[int]:
    """The row ids of the hosts that are lost."""
    return set(fetch_ids(tx, _SQL["lost_hosts"], {}))


def mark_lost(tx: Transaction, hosts: Collection[int], now: int) -> None:
    """These hosts were silent for too long."""
    values = {"hosts": pack_values(hosts), "now": now}
    _add_hosts(tx, Event.HOST_LOST, tx.execute(_SQL["lose_hosts"], values).fetchall(), now)


def find_hosts(tx: Transaction, hosts: Collection[int], now: int, *, back: bool) -> None:
    """These hosts are lost no more.

    Args:
        back: they have come back; else they do not belong to the fleet any more.
    """
    rows = tx.execute(_SQL["find_hosts"], {"hosts": pack_values(hosts)}).fetchall()
    if back:
        _add_hosts(tx, Event.HOST_BACK, rows, now)


def _add_hosts(tx: Transaction, event: Event, rows: list[Row], now: int) -> None:
    if rows:
        add(tx, event, now, {"hosts": sorted(row["host"] for row in rows)})


def names_of_hosts(tx: Transaction, hosts: Iterable[int]) -> list[str]:
    """The names of hosts by their row ids, in order."""
    rows = tx.execute(_SQL["names_of_hosts"], {"hosts": pack_values(hosts)})
    return [row["name"] for row in rows]
