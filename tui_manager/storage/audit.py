"""The audit: who did what to which, written in the transaction of the act itself."""

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.window import LIMIT_MAX, Page, Window
from tui_manager.storage.connection import Transaction
from tui_manager.storage.filtering import like
from tui_manager.storage.instants import to_datetime
from tui_manager.storage.queries import load

_SQL = load("audit.sql")
_TASK = re.compile(r"#(\d{1,18})")
_HOST = "host"  # the key of the detail that keeps a host's name as it was


def record(
    tx: Transaction,
    now: int,
    actor: str,
    action: str,
    *,
    task_id: int | None = None,
    host_id: str | None = None,
    more: Mapping[str, str | int] | None = None,
    **detail: str | int,
) -> None:
    """Adds a row.

    Args:
        now: microseconds since 1970 UTC.
        actor: `user@terminal`, "manager", or `host NAME`.
        action: a word such as "create_task".
        more, detail: what else is worth knowing later; `host` is the host's name at that time.
    """
    tx.execute(
        _SQL["insert"],
        {
            "at": now,
            "actor": actor,
            "action": action,
            "task_id": task_id,
            "host_id": host_id,
            "detail": _packed({**detail, **(more or {})}),
        },
    )


def _packed(value: object) -> str:
    """JSON in which a search finds what people write; half a surrogate pair is no text."""
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def window(tx: Transaction, window: Window) -> Page[AuditEntry]:
    """What was done, the newest first. `text` is looked for in actor, action, host and detail;
    `#12` finds what was done to task 12. `faults_only` keeps refusals and violations."""
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    task = _TASK.fullmatch(window.text)
    values = {
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
        "text": window.text,
        "pattern": like(window.text),
        "detail_pattern": like(_packed(window.text)[1:-1]),
        "faults_only": window.faults_only,
        "task_id": int(task[1]) if task else None,
    }
    if not window.text and not window.faults_only:
        rows = tx.execute(_SQL["window"], values).fetchall()
        return Page([_entry(row) for row in rows], total, total)
    query = _SQL["of_task" if task else "filtered"]
    rows = tx.execute(query, values).fetchall()
    return Page([_entry(row) for row in rows], _matching(tx, query, values, len(rows)), total)


def _matching(tx: Transaction, query: str, values: Mapping[str, Any], found: int) -> int:
    """How many pass the filter of `query`; to count while reading would read all of them first,
    and a window that is not full has shown the last."""
    offset: int = values["offset"]
    if found < values["limit"] and (found or not offset):
        return offset + found
    everything = {**values, "limit": -1, "offset": 0}
    count: int = tx.execute(f"SELECT count(*) FROM ({query.rstrip(';')})", everything).fetchone()[0]
    return count


def _entry(row: sqlite3.Row) -> AuditEntry:
    at = to_datetime(row["at"])
    assert at is not None
    detail = {key: str(value) for key, value in json.loads(row["detail"]).items()}
    host = detail.pop(_HOST, "") or row["host_name"] or ""
    return AuditEntry(
        audit_id=row["id"],
        at=at,
        actor=row["actor"],
        action=row["action"],
        task_id=row["task_id"] or 0,
        host_id=row["host_id"] or "",
        host=host,
        detail=detail,
    )
