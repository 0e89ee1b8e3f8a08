"""Windows onto the tasks, the newest first or sorted by a column."""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_language import FilteredFields, FilterTerm, fits
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.lists.task_filter_and_sort import (
    ALL_TASKS,
    OTHER_TASKS,
    RUNNING_TASKS,
    TASK_SORT_COLUMNS,
    TaskFilter,
)
from tui_manager.domain.schedules.schedule import ACTOR
from tui_manager.domain.tasks.task import Task
from tui_manager.storage.engine.statements import (
    fetch_ids,
    from_datetime,
    load_queries,
    pack_values,
)
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.tasks.tasks import tasks_of, with_hosts
from tui_manager.storage.views.filtered_scan import (
    FieldsOfRow,
    RowPosition,
    ScannedRows,
    SortedScan,
    StoredRows,
)

_SQL = load_queries("task_list.sql")
_SINCE_MAX = 10_000  # tasks among which the first since a time is looked for
_SHOWN = 80  # characters of an unknown host in an error
_STEP = 1_000  # tasks between two whose places are remembered


def _total(tx: Transaction) -> int:
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    return total


class Behind(NamedTuple):
    """A row: so many rows behind the task with this number."""

    task_id: int
    rows: int


class _Places(NamedTuple):
    """What was found once.

    Attributes:
        ids: the task with the number n has n times `_STEP` tasks before it, and is the last of
            them.
        newest: the highest number of a task then; `total`: how many tasks there were.
    """

    ids: tuple[int, ...] = (0,)
    newest: int = 0
    total: int = 0


_NO_PLACES = _Places()


class TaskPlaces:
    """Where in the list of all tasks some of them are, so that a window far from both ends is found
    without counting all rows before it. Each `_STEP`-th task is remembered.

    New tasks come behind these. If others are gone, which is seen by the number of all tasks, the
    places are found anew.
    """

    def __init__(self) -> None:
        self._known = _NO_PLACES

    def nearest(self, tx: Transaction, rank: int, total: int, without: Collection[int]) -> Behind:
        """A remembered task that is at most `_STEP` before the one with a rank.

        Args:
            rank: counted from the oldest task, which has 0, without the tasks `without`.
            total: how many tasks there are in all.
        """
        known = self._known = self._refreshed(tx, total)  # two threads may read at the same time
        left_out = sorted(without)

        def before(number: int) -> int:
            return number * _STEP - bisect_right(left_out, known.ids[number])

        number = bisect_right(range(len(known.ids)), rank, key=before) - 1
        return Behind(known.ids[number], rank - before(number))

    def _refreshed(self, tx: Transaction, total: int) -> _Places:
        known = self._known
        newer = tx.execute(_SQL["count_newer"], {"newest": known.newest}).fetchone()["newer"]
        if known.total + newer != total:
            known, newer = _NO_PLACES, total
        if newer < _STEP:
            return known
        newest = tx.execute(_SQL["newest"]).fetchone()["id"]
        values = {"behind": known.ids[-1], "step": _STEP}
        return _Places((*known.ids, *fetch_ids(tx, _SQL["each_nth"], values)), newest, total)


def window(
    tx: Transaction,
    window: Window,
    wanted: TaskFilter = ALL_TASKS,
    places: TaskPlaces | None = None,
) -> Page[Task]:
    """All tasks, those that run, or all others; the newest first. Those that run may be sorted by
    their start.

    Args:
        places: kept from one question to the next; None: the rows before the window are counted.
    """
    total = _total(tx)
    by_start = {"by_start": bool(window.sort)}
    running = [] if wanted == ALL_TASKS else fetch_ids(tx, _SQL["running"], by_start)
    if wanted == RUNNING_TASKS:
        shown = running[window.offset : window.offset + min(window.limit, LIMIT_MAX)]
        rows = tx.execute(_SQL["by_ids"], {"ids": pack_values(shown)}).fetchall()
        return Page(_tasks(tx, rows), len(running), total)
    matching = total - len(running)
    limit = max(0, min(window.limit, LIMIT_MAX, matching - window.offset))
    after = matching - window.offset - limit
    values = {"limit": limit, "offset": window.offset, "without": pack_values(running)}
    if places is not None and limit and min(after, window.offset) > _STEP:
        behind = places.nearest(tx, after, total, running)
        values |= {"offset": behind.rows, "behind": behind.task_id}
        rows = tx.execute(_SQL["window_from_the_end"], values).fetchall()[::-1]
    elif after < window.offset:
        values |= {"offset": after, "behind": 0}
        rows = tx.execute(_SQL["window_from_the_end"], values).fetchall()[::-1]
    else:
        rows = tx.execute(_SQL["window"], values).fetchall()
    return Page(_tasks(tx, rows), matching, total)


def _tasks(tx: Transaction, rows: Iterable[Row]) -> list[Task]:
    return with_hosts(tx, tasks_of(list(rows)))


def tasks_of_host(tx: Transaction, host: int, limit: int) -> list[Task]:
    """The newest tasks that ran on a host, which is given by its row id."""
    rows = tx.execute(_SQL["of_host"], {"host": host, "limit": limit})
    return _tasks(tx, rows)


class FilterLookup(NamedTuple):
    """What the database says of a filter.

    Attributes:
        hosts: row ids of the hosts that its host means, also of those that are gone; several if
            hosts had the same name one after another; none if it names no host.
        first: no task with a lower number passes.
    """

    hosts: tuple[int, ...] = ()
    first: int = 0


def look_up(tx: Transaction, wanted: TaskFilter) -> FilterLookup:
    """Looks up the host and the time of a filter.

    Raises:
        InvalidInputError: there is no such host.
    """
    rows = tx.execute(_SQL["hosts_named"], {"host": wanted.host}) if wanted.host else ()
    hosts = tuple(row["id"] for row in rows)
    if wanted.host and not hosts:
        raise InvalidInputError(
            "host",
            f"No host has the name or host_id {wanted.host[:_SHOWN]!r}; a renamed host is found by "
            "its new name.",
        )
    if wanted.since is None:
        return FilterLookup(hosts)
    values = {"since": from_datetime(wanted.since), "count": _SINCE_MAX}
    return FilterLookup(hosts, tx.execute(_SQL["first_since"], values).fetchone()["id"])


@dataclass(frozen=True, slots=True)
class _RowsOfGroups(StoredRows):
    """Tasks of several groups, such as those of one host or of one status; the newest first.

    Attributes:
        groups: what the query needs for each.
    """

    groups: Sequence[Mapping[str, object]] = ()

    def behind(self, tx: Transaction, place: RowPosition, count: int) -> ScannedRows:
        """See FilteredRows. Of each group as far back as of the group with the most tasks."""
        looked = [
            self.look(tx, self.order, id=place.id, count=count, all_pass=self.all_pass, **group)
            for group in self.groups
        ]
        last = max((one.last for one in looked if one.last), default=None)
        ids = {each for one in looked for each in one.ids if last is None or each >= last.id}
        return ScannedRows([0] * len(ids), sorted(ids, reverse=True), last)


def needs_scan(window: Window, wanted: TaskFilter, terms: Collection[FilterTerm]) -> bool:
    """Whether the list has to be read with `scan`."""
    if terms or window.faults_only:
        return True
    if window.sort:
        latest_first = (window.sort, window.descending) == ("started", True)
        return not (wanted == RUNNING_TASKS and latest_first)
    return wanted not in (ALL_TASKS, RUNNING_TASKS, OTHER_TASKS)


# The columns of `fields`.
_ID, _NAME, _TARGET, _STATUS, _CREATED_BY, _TEMPLATE, _COMMANDS = range(7)


def _text(row: FieldsOfRow) -> str:
    return f"{row[_NAME]}\n{row[_TARGET]}\n{row[_STATUS]}"


def _creators(row: FieldsOfRow) -> tuple[str, ...]:
    """The actor; the user whatever the terminal was; the schedule by its name alone, as lists show
    it."""
    actor: str = row[_CREATED_BY]
    return actor, actor.partition("@")[0], actor.removeprefix(ACTOR)


_FIELDS: FilteredFields[FieldsOfRow] = FilteredFields(
    noun="tasks",
    text=_text,
    exact=lambda row: (str(row[_ID]), f"#{row[_ID]}"),
    may_be_exact=re.compile(r"#?[0-9]+").fullmatch,
    values={
        "status": lambda row: (row[_STATUS],),
        "by": _creators,
        "since": lambda row: (),  # see `narrow`
        "target": lambda row: (row[_TARGET],),
        "name": lambda row: (row[_NAME],),
        "host": lambda row: (),  # see `narrow`
        "id": lambda row: (str(row[_ID]),),
        "template": lambda row: (row[_TEMPLATE] or "",),
        "command": lambda row: row[_COMMANDS],
    },
)


def scan(
    window: Window, wanted: TaskFilter, terms: Collection[FilterTerm], found: FilterLookup
) -> SortedScan:
    """The tasks that pass the filters, in the order of a window.

    Args:
        wanted, terms: from `narrow`.
        found: what `look_up` says of the filter.

    Raises InvalidInputError("text"): a term has a key that tasks do not have.
    """
    passes = fits(terms, _FIELDS) if terms else None
    sort = window.sort or TASK_SORT_COLUMNS[0]
    by_id = sort == TASK_SORT_COLUMNS[0]
    descending = window.descending or not window.sort
    values = {
        "commands": any(term.key == "command" for term in terms),
        "faults_only": window.faults_only,
        "statuses": pack_values(wanted.statuses) if wanted.statuses else None,
        "created_by": wanted.created_by or None,
        "since": from_datetime(wanted.since) if wanted.since else None,
        "hosts": pack_values(found.hosts) if found.hosts else None,
        "first": found.first,
        "sort": sort,
        "host": None,
        "status": None,
    }
    rows: StoredRows
    if by_id and descending:
        rows = _newest_first(values, window, wanted, found)
    else:
        order = f"{sort}_{'descending' if descending else 'ascending'}"
        rows = StoredRows(_SQL, order, values, by_id, descending)
        rows = replace(rows, all_pass=wanted == ALL_TASKS and not window.faults_only)
    return SortedScan(replace(rows, passes=passes), changes=True)


def _newest_first(
    values: Mapping[str, object], window: Window, wanted: TaskFilter, found: FilterLookup
) -> StoredRows:
    """The rows by number, read from the index that has the fewest of them."""
    if found.hosts:
        hosts = [{"host": host} for host in found.hosts]
        return _RowsOfGroups(_SQL, "of_host_descending", values, groups=hosts)
    if window.faults_only:
        return StoredRows(_SQL, "faults_descending", values, all_pass=wanted == ALL_TASKS)
    if wanted.statuses and not found.first:
        statuses = [{"status": status} for status in wanted.statuses]
        only = wanted == TaskFilter(wanted.statuses)
        return _RowsOfGroups(_SQL, "of_status_descending", values, groups=statuses, all_pass=only)
    return StoredRows(_SQL, "created_descending", values, all_pass=wanted == ALL_TASKS)


def scanned(tx: Transaction, scan: SortedScan, window: Window) -> Page[Task]:
    """The window onto what a scan has found, after it has looked a step further."""
    scan.advance(tx)
    rows = tx.execute(_SQL["by_ids"], {"ids": scan.ids(window)})
    return Page(_tasks(tx, rows), len(scan.found), _total(tx), scan.partial)
