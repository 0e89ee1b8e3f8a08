"""Windows onto the tasks, the newest first or sorted by a column."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.task import Task
from tui_manager.domain.task_filter_and_sort import ALL_TASKS, TASK_SORT_COLUMNS, TaskFilter
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.statements import from_datetime, like_pattern, load_queries
from tui_manager.storage.tables.tasks import task_of
from tui_manager.storage.views.filtered_scan import Looked, Place, SortedScan, StoredRows

_SQL = load_queries("task_list.sql")
_SHOWN = 80  # characters of an unknown host in an error


def _total(tx: Transaction) -> int:
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


def window(tx: Transaction, window: Window) -> Page[Task]:
    """All tasks, the newest first."""
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
class _RowsOfHosts(StoredRows):
    """Tasks that ran on one of some hosts, the newest first.

    Attributes:
        hosts: their row ids: several if hosts had the same name one after another.
    """

    hosts: Sequence[int] = ()

    def behind(self, tx: Transaction, place: Place, count: int) -> Looked:
        """See FilteredRows. Of each host as far back as of the host with the most tasks."""
        looked = [
            self.look(tx, "of_host_descending", host=host, id=place.id, count=count)
            for host in self.hosts
        ]
        last = max((one.last for one in looked if one.last), default=None)
        ids = {each for one in looked for each in one.ids if last is None or each >= last.id}
        return Looked([0] * len(ids), sorted(ids, reverse=True), last)


def hosts_named(tx: Transaction, host: str) -> tuple[int, ...]:
    """Row ids of the hosts with this name or host_id, also of those that are gone; none for an
    empty name.

    Raises:
        InvalidInputError: there is no such host.
    """
    if not host:
        return ()
    rows = tuple(row["id"] for row in tx.execute(_SQL["hosts_named"], {"host": host}))
    if not rows:
        raise InvalidInputError(
            "host",
            f"No host has the name or host_id {host[:_SHOWN]!r}; a renamed host is found by its "
            "new name.",
        )
    return rows


def needs_scan(window: Window, wanted: TaskFilter) -> bool:
    """Whether the list has to be read with `scan`."""
    return bool(window.text or window.faults_only or window.sort) or wanted != ALL_TASKS


def scan(window: Window, wanted: TaskFilter, hosts: Sequence[int]) -> SortedScan:
    """The tasks that pass the filters, in the order of a window.

    Args:
        hosts: what `hosts_named` says of the host of the filter.
    """
    sort = window.sort or TASK_SORT_COLUMNS[0]
    by_id = sort == TASK_SORT_COLUMNS[0]
    descending = window.descending or not window.sort
    order = f"{sort}_{'descending' if descending else 'ascending'}"
    if window.faults_only and by_id and descending:
        order = "faults_descending"
    values = {
        "pattern": like_pattern(window.text),
        "exact": window.text.lstrip("#"),
        "faults_only": window.faults_only,
        "statuses": json.dumps(wanted.statuses) if wanted.statuses else None,
        "created_by": wanted.created_by or None,
        "since": from_datetime(wanted.since) if wanted.since else None,
        "hosts": json.dumps(hosts) if hosts else None,
        "sort": sort,
        "host": None,
    }
    if hosts and by_id and descending:
        return SortedScan(_RowsOfHosts(_SQL, order, values, hosts=hosts), changes=True)
    return SortedScan(StoredRows(_SQL, order, values, by_id, descending), changes=True)


def scanned(tx: Transaction, scan: SortedScan, window: Window) -> Page[Task]:
    """The window onto what a scan has found, after it has looked a step further."""
    scan.advance(tx)
    rows = tx.execute(_SQL["by_ids"], {"ids": scan.ids(window)})
    return Page([task_of(row) for row in rows], len(scan.found), _total(tx), scan.partial)
