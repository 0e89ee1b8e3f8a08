"""Finds tasks whose status does not fit their command hosts. Several managers may store results at
the same time, and no transaction sees what others have not committed yet. A file of its own,
because only several managers need it."""

from collections.abc import Iterable

from tui_manager.storage.engine.statements import load_queries, pack_values
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("outdated_task_status.sql")


def running_and_just_ended(tx: Transaction, since: int) -> list[int]:
    """The tasks that run, and those that have ended since an instant, in microseconds since 1970
    UTC: another manager may have stored a change of it in the same moment."""
    return [row["id"] for row in tx.execute(_SQL["running_and_just_ended"], {"since": since})]


def with_outdated_status(tx: Transaction, task_ids: Iterable[int]) -> list[int]:
    """Those of some tasks whose status, or whose mark of faults, does not fit their counters."""
    rows = tx.execute(_SQL["with_outdated_status"], {"ids": pack_values(task_ids)})
    return [row["id"] for row in rows]


def update_fault_marks(tx: Transaction, task_ids: Iterable[int]) -> None:
    """Marks whether something of these tasks has failed, timed out or was skipped."""
    tx.execute(_SQL["update_fault_marks"], {"ids": pack_values(task_ids)})
