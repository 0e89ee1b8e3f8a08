"""Windows onto the command hosts of a task."""

import sqlite3

from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task import CommandHost
from tui_manager.domain.window import LIMIT_MAX, Page, Window
from tui_manager.storage.connection import Transaction
from tui_manager.storage.filtering import like, matching
from tui_manager.storage.instants import to_datetime
from tui_manager.storage.queries import load

_SQL = load("command_host_list.sql")


def window(
    tx: Transaction, task_id: int, window: Window, command: int | None, total: int
) -> Page[CommandHost]:
    """Command hosts of a task, which has `total` of them."""
    values = {
        "task_id": task_id,
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
        "pattern": like(window.text),
        "command": command,
        "faults_only": window.faults_only,
        "by_host": window.sort == "host",
    }
    if window.text or window.faults_only or command is not None:
        rows = tx.execute(_SQL["filtered"], values).fetchall()
        count = matching(tx, _SQL["filtered"], values, rows)
    else:
        query = "by_place" if window.sort == "host" else "by_attention"
        rows = tx.execute(_SQL[query], values).fetchall()
        count = total
    return Page([_command_host(row) for row in rows], count, total)


def _command_host(row: sqlite3.Row) -> CommandHost:
    return CommandHost(
        execution_id=row["execution_id"],
        task_id=row["task_id"],
        command=row["position"],
        host_id=row["host_id"],
        host=row["host_name"],
        status=CommandHostStatus(row["status"]),
        reason=Reason(row["reason"]),
        detail=row["detail"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        stdout_bytes=row["stdout_bytes"],
        stderr_bytes=row["stderr_bytes"],
        truncated_bytes=row["truncated_bytes"],
        sent_at=to_datetime(row["sent_at"]),
        started_at=to_datetime(row["started_at"]),
        finished_at=to_datetime(row["finished_at"]),
        cancel_requested_at=to_datetime(row["cancel_requested_at"]),
        late=bool(row["late"]),
        kill_incomplete=bool(row["kill_incomplete"]),
    )
