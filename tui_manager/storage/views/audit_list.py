"""Windows onto the audit, the newest entry first."""

import json
import re
import sqlite3

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.list_window import LIMIT_MAX, Page, Window
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.statements import like_pattern, load_queries, to_datetime
from tui_manager.storage.tables.audit import TASK_NAME, pack_detail
from tui_manager.storage.views.filtered_scan import SortedScan, StoredRows

_SQL = load_queries("audit_list.sql")
_TASK = re.compile(r"#(\d{1,18})")
_HOST = "host"  # the key of the detail that keeps the host's name of that time


def needs_scan(window: Window) -> bool:
    """Whether no index serves the filter of a window, so that it has to be read with `scan`."""
    return bool(window.text or window.faults_only) and not _TASK.fullmatch(window.text)


def window(tx: Transaction, window: Window) -> Page[AuditEntry]:
    """All entries, or with `#12` as the text those of task 12."""
    values: dict[str, int] = {"limit": min(window.limit, LIMIT_MAX), "offset": window.offset}
    total = matching = _total(tx)
    query = "window"
    if task := _TASK.fullmatch(window.text):
        query, values["task_id"] = "of_task", int(task[1])
        matching = tx.execute(_SQL["count_of_task"], values).fetchone()["total"]
    rows = tx.execute(_SQL[query], values)
    return Page([_entry(row) for row in rows], matching, total)


def scan(window: Window) -> SortedScan:
    """The entries that pass the filter of a window. Its text is looked for in actor, action, host
    and detail. `faults_only` keeps refusals and violations."""
    order = "faults_descending" if window.faults_only else "descending"
    values = {
        "faults_only": window.faults_only,
        "text": window.text,
        "pattern": like_pattern(window.text),
        "detail_pattern": like_pattern(pack_detail(window.text)[1:-1]),
    }
    return SortedScan(StoredRows(_SQL, order, values), changes=False)


def scanned(tx: Transaction, scan: SortedScan, window: Window) -> Page[AuditEntry]:
    """The window onto what a scan has found, after it has looked a step further."""
    scan.advance(tx)
    rows = tx.execute(_SQL["by_ids"], {"ids": scan.ids(window)})
    return Page([_entry(row) for row in rows], len(scan.found), _total(tx), scan.partial)


def _total(tx: Transaction) -> int:
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


def _entry(row: sqlite3.Row) -> AuditEntry:
    at = to_datetime(row["at"])
    assert at is not None
    detail = {key: str(value) for key, value in json.loads(row["detail"]).items()}
    host = detail.pop(_HOST, "") or row["host_name"] or ""
    task_name = detail.pop(TASK_NAME, "") or row["task_name"] or ""
    return AuditEntry(
        audit_id=row["id"],
        at=at,
        actor=row["actor"],
        action=row["action"],
        task_id=row["task_id"] or 0,
        host_id=row["host_id"] or "",
        host=host,
        detail=detail,
        task_name=task_name,
    )
