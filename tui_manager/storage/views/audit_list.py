"""Windows onto the audit, the newest entry first."""

import json
import re

from tui_manager.domain.lists.filter_language import FilteredFields, fits, parse_filter
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.storage.engine.statements import load_queries, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.manager.audit import TASK_NAME
from tui_manager.storage.views.filtered_scan import FieldsOfRow, SortedScan, StoredRows

_SQL = load_queries("audit_list.sql")
_TASK = re.compile(r"(?:#|task=)(\d{1,18})", re.ASCII)
_HOST = "host"  # the key of the detail that keeps the host's name of that time


def _task_of(text: str) -> int | None:
    """The task of a filter that is only `#12` or `task=12`, for which there is an index."""
    terms = parse_filter(text)
    if len(terms) != 1 or terms[0].negated or terms[0].absent:
        return None
    prefix = terms[0].key and f"{terms[0].key}="
    found = _TASK.fullmatch(f"{prefix}{terms[0].value}")
    return int(found[1]) if found else None


def needs_scan(window: Window) -> bool:
    """Whether no index serves the filter of a window, so that it has to be read with `scan`."""
    return bool(window.text or window.faults_only) and _task_of(window.text) is None


# The columns of `fields`.
_ACTOR, _ACTION, _DETAIL, _TASK_ID, _HOST_ID, _HOST_NAME = range(1, 7)


def _text(row: FieldsOfRow) -> str:
    lines = [row[_ACTOR], row[_ACTION], row[_HOST_NAME] or ""]
    lines += [f"{key} {value}" for key, value in row[_DETAIL].items()]
    return "\n".join(lines)


def _hosts(row: FieldsOfRow) -> tuple[str, ...]:
    """The host's name of that time, and its present one."""
    return row[_DETAIL].get(_HOST, ""), row[_HOST_NAME] or ""


_FIELDS: FilteredFields[FieldsOfRow] = FilteredFields(
    noun="audit entries",
    text=_text,
    exact=lambda row: (f"#{row[_TASK_ID]}", row[_HOST_ID] or ""),
    may_be_exact=lambda word: "#" in word or "-" in word,  # a host_id has several
    values={
        "actor": lambda row: (row[_ACTOR], row[_ACTOR].partition("@")[0]),
        "action": lambda row: (row[_ACTION],),
        "host": _hosts,
        "task": lambda row: (str(row[_TASK_ID] or ""),),
    },
)


def window(tx: Transaction, window: Window) -> Page[AuditEntry]:
    """All entries, or with `#12` or `task=12` as the text those of task 12."""
    values: dict[str, int] = {"limit": min(window.limit, LIMIT_MAX), "offset": window.offset}
    total = matching = _total(tx)
    query = "window"
    if (task := _task_of(window.text)) is not None:
        query, values["task_id"] = "of_task", task
        matching = tx.execute(_SQL["count_of_task"], values).fetchone()["total"]
    rows = tx.execute(_SQL[query], values)
    return Page([_entry(row) for row in rows], matching, total)


def scan(window: Window) -> SortedScan:
    """The entries that pass the filter of a window. `faults_only` keeps refusals and violations.

    Raises InvalidInputError("text"): the filter is wrong.
    """
    order = "faults_descending" if window.faults_only else "descending"
    passes = fits(parse_filter(window.text), _FIELDS) if window.text else None
    values = {"faults_only": window.faults_only}
    rows = StoredRows(_SQL, order, values, passes=passes, all_pass=True)
    return SortedScan(rows, changes=False)


def scanned(tx: Transaction, scan: SortedScan, window: Window) -> Page[AuditEntry]:
    """The window onto what a scan has found, after it has looked a step further."""
    scan.advance(tx)
    rows = tx.execute(_SQL["by_ids"], {"ids": scan.ids(window)})
    return Page([_entry(row) for row in rows], len(scan.found), _total(tx), scan.partial)


def _total(tx: Transaction) -> int:
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


def _entry(row: Row) -> AuditEntry:
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
