"""What is stored of one host in other tables: what tasks did there, and who admitted it."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tui_manager.domain.hosts.host import UNENDED_SHOWN, HostRun
from tui_manager.storage.engine.statements import load_queries, pack_values, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.views.command_host_list import command_host_of

_SQL = load_queries("host_runs.sql")


def runs_of_host(tx: Transaction, host: int, tasks: Iterable[int]) -> tuple[HostRun, ...]:
    """What these tasks did on a host, and those that have not ended there; the newest task first.

    Args:
        host: its row id.
    """
    unended = tx.execute(_SQL["unended_tasks"], {"host": host, "limit": UNENDED_SHOWN})
    wanted = sorted({*tasks, *(row["task_id"] for row in unended)})
    rows = tx.execute(_SQL["of_tasks"], {"host": host, "tasks": pack_values(wanted)})
    return tuple(map(_run_of, rows))


def _run_of(row: Row) -> HostRun:
    run = command_host_of(row)
    finished_at = to_datetime(row["last_end"]) if run.status.ended else None
    return HostRun(
        row["task_name"], row["steps"], run, to_datetime(row["first_start"]), finished_at
    )


class LastAdmission(NamedTuple):
    """When a host was admitted, and by whom; None and empty: the audit does not say."""

    at: datetime | None = None
    by: str = ""


def last_admission(tx: Transaction, host_id: str) -> LastAdmission:
    """The newest admission of a host in the audit. One by a join token names the token."""
    row = tx.execute(_SQL["admission"], {"host_id": host_id}).fetchone()
    if row is None:
        return LastAdmission()
    by = json.loads(row["detail"]).get("by", "")
    return LastAdmission(to_datetime(row["at"]), str(by or row["actor"]))
