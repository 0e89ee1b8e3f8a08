"""Windows onto the tasks, the newest first."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from tui_manager.domain.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.task import Task
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.statements import like_pattern, load_queries
from tui_manager.storage.tables.tasks import task_of
from tui_manager.storage.views.filtered_scan import NewestFirst, ids_of

_SQL = load_queries("task_list.sql")


def _total(tx: Transaction) -> int:
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


def window(tx: Transaction, window: Window) -> Page[Task]:
    """Tasks, for a window without a filter."""
    total = _total(tx)
    limit = max(0, min(window.limit, LIMIT_MAX, total - window.offset))
    after = total - window.offset - limit
    if after < window.offset:
        values = {"limit": limit, "offset": after}
        rows = tx.execute(_SQL["window_from_the_end"], values).fetchall()[::-1]
    else:
        rows = tx.execute(_SQL["window"], {"limit": limit, "offset": window.offset}).fetchall()
    return Page([task_of(row) for row in rows], total, total)


def tasks_of_host(tx: Transaction, host: int, limit: int) -> list[Task]:
    """The newest tasks that ran on a host, which is given by its row id."""
    rows = tx.execute(_SQL["of_host"], {"host": host, "limit": limit})
    return [task_of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A text and whether only faults are wanted; implements `filtered_scan.FilteredRows`."""

    text: str
    faults_only: bool

    def newest(self, tx: Transaction) -> int:
        """See FilteredRows."""
        newest: int = tx.execute(_SQL["newest"]).fetchone()["id"]
        return newest

    def last(self, tx: Transaction, high: int, count: int) -> int | None:
        """See FilteredRows."""
        query = _SQL["last_fault" if self.faults_only else "last"]
        row = tx.execute(query, {"high": high, "count": count}).fetchone()
        return row and int(row["id"])

    def passing(self, tx: Transaction, high: int, low: int) -> list[int]:
        """See FilteredRows."""
        query = _SQL["passing_faults" if self.faults_only else "passing"]
        values = {"high": high, "low": low, **self._values()}
        return ids_of(tx, query, values)

    def passing_of(self, tx: Transaction, ids: Collection[int]) -> list[int]:
        """See FilteredRows."""
        values = {"ids": json.dumps([*ids]), "faults_only": self.faults_only, **self._values()}
        return ids_of(tx, _SQL["passing_of"], values)

    def _values(self) -> dict[str, str]:
        return {"pattern": like_pattern(self.text), "exact": self.text.lstrip("#")}


def scan(window: Window) -> NewestFirst:
    """The tasks that pass the filter of a window."""
    return NewestFirst(TaskFilter(window.text, window.faults_only), changes=True)


def scanned(tx: Transaction, scan: NewestFirst, window: Window) -> Page[Task]:
    """The window onto what a scan has found, after it has looked a step further."""
    scan.advance(tx)
    rows = tx.execute(_SQL["by_ids"], {"ids": scan.ids(window)})
    return Page([task_of(row) for row in rows], len(scan.found), _total(tx), scan.partial)
