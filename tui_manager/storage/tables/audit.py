"""The audit: who did what to which, written in the transaction of the act itself."""

import json
import re
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.window import LIMIT_MAX, Page, Window
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.instants import to_datetime
from tui_manager.storage.engine.queries import load
from tui_manager.storage.views.filtering import like
from tui_manager.storage.views.scanning import NewestFirst, ids_of

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


def _total(tx: Transaction) -> int:
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


def needs_scan(window: Window) -> bool:
    """Whether no index serves the filter of a window: it is to be read with `scan`."""
    return bool(window.text or window.faults_only) and not _TASK.fullmatch(window.text)


def window(tx: Transaction, window: Window) -> Page[AuditEntry]:
    """What was done, the newest first; all of it, or with `#12` as the text what was done to task
    12."""
    values: dict[str, int] = {"limit": min(window.limit, LIMIT_MAX), "offset": window.offset}
    total = matching = _total(tx)
    query = "window"
    if task := _TASK.fullmatch(window.text):
        query, values["task_id"] = "of_task", int(task[1])
        matching = tx.execute(_SQL["count_of_task"], values).fetchone()["total"]
    rows = tx.execute(_SQL[query], values)
    return Page([_entry(row) for row in rows], matching, total)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What a text is looked for in, and which acts are faults; implements `scanning.ById`."""

    text: str
    faults_only: bool

    def newest(self, tx: Transaction) -> int:
        """See ById."""
        newest: int = tx.execute(_SQL["newest"]).fetchone()["id"]
        return newest

    def last(self, tx: Transaction, high: int, looks: int) -> int | None:
        """See ById."""
        query = _SQL["last_fault" if self.faults_only else "last"]
        row = tx.execute(query, {"high": high, "looks": looks}).fetchone()
        return row and int(row["id"])

    def passing(self, tx: Transaction, high: int, low: int) -> list[int]:
        """See ById."""
        query = _SQL["passing_faults" if self.faults_only else "passing"]
        values = {
            "high": high,
            "low": low,
            "text": self.text,
            "pattern": like(self.text),
            "detail_pattern": like(_packed(self.text)[1:-1]),
        }
        return ids_of(tx, query, values)

    def passing_of(self, tx: Transaction, ids: Collection[int]) -> list[int]:
        """See ById; what was written does not change."""
        return [*ids]


def scan(window: Window) -> NewestFirst:
    """The entries that pass the filter of a window: its text is looked for in actor, action, host
    and detail; `faults_only` keeps refusals and violations."""
    return NewestFirst(AuditFilter(window.text, window.faults_only), changes=False)


def scanned(tx: Transaction, scan: NewestFirst, window: Window) -> Page[AuditEntry]:
    """A window onto what a scan has found, once it has looked a little further."""
    scan.go_on(tx)
    rows = tx.execute(_SQL["these"], {"ids": scan.ids(window)})
    return Page([_entry(row) for row in rows], len(scan.found), _total(tx), scan.partial)


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
