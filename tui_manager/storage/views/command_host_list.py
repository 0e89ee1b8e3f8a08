"""Windows onto the command hosts of a task.

A list consists of groups. The counters of the commands say how large each group is, so the position
of a window is calculated. Rows are counted only within one group, which has at most one for each
host.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.lists.filter_language import FilteredFields, FilterTerm, fits
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.storage.engine.statements import (
    Columns,
    fetch_packed,
    load_queries,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.files import transfers
from tui_manager.storage.views.filtered_scan import (
    ROWS_A_STEP,
    FieldsOfRow,
    Scan,
    ScanStep,
)

_SQL = load_queries("command_host_list.sql")
_COMMAND_COUNTS = load_queries("tasks.sql")["command_counts"]
# In the order of attention; the column `attention` has the number of each.
_ATTENTION = ("failed", "timeout", "skipped", "running", "pending", "canceled", "completed")
_FAULTS = 3  # the first of them
_PENDING, _COMPLETED = CommandHostStatus.PENDING, CommandHostStatus.COMPLETED
_STATUSES = {str(status): status for status in CommandHostStatus}
_REASONS = {str(reason): reason for reason in Reason}
_OUTPUT = Columns("id", "status", "stdout_total", "stderr_total")
_COLUMNS = Columns(  # in the order in which `_command_host` takes them
    *("execution_id", "task_id", "position", "host_id", "host_name", "status", "reason", "detail"),
    *("exit_code", "signal", "stdout_bytes", "stderr_bytes", "truncated_bytes", "sent_at"),
    *("started_at", "finished_at", "cancel_requested_at", "late", "kill_incomplete", "batch"),
    "deliver_before",
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one command in the order of hosts: those of one status, all, or the faults.

    Attributes:
        query: the name of the query for them.
    """

    position: int
    attention: int | None
    size: int
    query: str


def _by_attention(commands: Sequence[Row], *, faults_only: bool) -> Iterator[_Group]:
    for attention, status in enumerate(_ATTENTION[: _FAULTS if faults_only else None]):
        for row in commands:
            yield _Group(row["position"], attention, row[status], "by_attention")


def _by_host(commands: Sequence[Row], *, faults_only: bool) -> Iterator[_Group]:
    query = "faults_by_host" if faults_only else "by_host"
    counters = _ATTENTION[:_FAULTS] if faults_only else ("total",)
    for row in commands:
        yield _Group(row["position"], None, sum(row[counter] for counter in counters), query)


def _groups(tx: Transaction, task_id: int, window: Window, command: int | None) -> list[_Group]:
    """The groups of a list that have rows, in its order."""
    commands = [
        row
        for row in tx.execute(_COMMAND_COUNTS, {"task_id": task_id})
        if command is None or row["position"] == command
    ]
    order = _by_host if window.sort == "host" else _by_attention
    return [group for group in order(commands, faults_only=window.faults_only) if group.size]


def window(
    tx: Transaction, task_id: int, window: Window, command: int | None, total: int
) -> Page[CommandHost]:
    """Command hosts of a task, which has `total` of them; for a window without a text."""
    groups = _groups(tx, task_id, window, command)
    skipped, wanted = window.offset, min(window.limit, LIMIT_MAX)
    rows: list[Row] = []
    for group in groups:
        if len(rows) >= wanted:
            break
        if skipped < group.size:
            values = {
                "task_id": task_id,
                "position": group.position,
                "attention": group.attention,
                "offset": skipped,
                "limit": wanted - len(rows),
            }
            rows += tx.execute(_SQL[group.query], values)
        skipped = max(0, skipped - group.size)
    return Page(_with_transfers(tx, rows), sum(group.size for group in groups), total)


@dataclass(frozen=True, slots=True)
class _Position:
    """A row's position in the order of attention, or, if the attention is ignored, of commands and
    hosts."""

    attention: int
    position: int
    id: int


_BEFORE_ALL = _Position(0, -1, 0)


# The columns of `behind_by_attention` and `behind_by_host`.
_OF_ATTENTION, _OF_COMMAND, _ID, _REASON = range(4)
_EXIT_CODE, _SIGNAL, _BATCH, _HOST_ID, _HOST = range(4, 9)

_FIELDS: FilteredFields[FieldsOfRow] = FilteredFields(
    noun="command hosts",
    text=lambda row: f"{row[_HOST]}\n{_ATTENTION[row[_OF_ATTENTION]]}\n{row[_REASON]}",
    values={
        "status": lambda row: (_ATTENTION[row[_OF_ATTENTION]],),
        "reason": lambda row: (row[_REASON],),
        "exit": lambda row: _number(row[_EXIT_CODE]),
        "signal": lambda row: _number(row[_SIGNAL]),
        "host": lambda row: (row[_HOST],),
        "batch": lambda row: _number(row[_BATCH]),
        "step": lambda row: (str(row[_OF_COMMAND] + 1),),
    },
)


def _number(value: int | None) -> tuple[str, ...]:
    return () if value is None else (str(value),)


def passes(
    terms: Collection[FilterTerm], hosts: Collection[str] | None
) -> Callable[[FieldsOfRow], bool]:
    """Whether a row passes a filter, by its fields.

    Args:
        hosts: the host_ids that fit the targets in the filter; None: there are none.

    Raises InvalidInputError("text"): a term has a key that command hosts do not have.
    """
    check = fits(terms, _FIELDS)
    if hosts is None:
        return check
    return lambda row: row[_HOST_ID] in hosts and check(row)


class CommandHostScan(Scan[_Position]):
    """The command hosts of a task that pass a filter, in the order of a window.

    Args:
        passes: see the function of this name.
    """

    def __init__(
        self,
        task_id: int,
        window: Window,
        command: int | None,
        passes: Callable[[FieldsOfRow], bool],
    ) -> None:
        super().__init__(_BEFORE_ALL)
        self._task_id = task_id
        self._passes = passes
        by_host = window.sort == "host"
        self._query = "behind_by_host" if by_host else "behind_by_attention"
        self._order = (_OF_COMMAND, _ID) if by_host else (_OF_ATTENTION, _OF_COMMAND, _ID)
        self._command = command
        self._end = _FAULTS if window.faults_only else len(_ATTENTION)

    def accept_changes(self, changes: Changes) -> bool:
        """A changed row may have another position, so the scan begins anew."""
        return not changes.all_tasks and self._task_id not in changes.tasks

    def step(self, tx: Transaction, position: _Position) -> ScanStep[_Position]:
        """Looks at the rows after a position."""
        values = {
            "task_id": self._task_id,
            "attention": position.attention,
            "position": position.position,
            "id": position.id,
            "end": self._end,
            "count": ROWS_A_STEP,
        }
        rows = fetch_packed(tx, _SQL[self._query], values)
        rows.sort(key=itemgetter(*self._order))
        command, end, passes = self._command, self._end, self._passes
        passed = [
            row[_ID]
            for row in rows
            if row[_OF_ATTENTION] < end
            and (command is None or row[_OF_COMMAND] == command)
            and passes(row)
        ]
        return ScanStep(passed, _Position(*rows[-1][:3]) if len(rows) == ROWS_A_STEP else None)


def scanned(
    tx: Transaction, scan: CommandHostScan, window: Window, total: int
) -> Page[CommandHost]:
    """The window onto what a scan has found, after it has looked a step further."""
    scan.advance(tx)
    rows = tx.execute(_SQL["by_ids"], {"ids": scan.ids(window)})
    return Page(_with_transfers(tx, list(rows)), len(scan.found), total, scan.partial)


def _with_transfers(tx: Transaction, rows: Sequence[Row]) -> list[CommandHost]:
    """The command hosts of rows, with what copies and fetches did. These have no output."""
    found = command_hosts_of(rows)
    candidates = [
        row_id
        for row_id, status, stdout, stderr in _OUTPUT.values(rows)
        if status == _COMPLETED and not stdout and not stderr
    ]
    did = transfers.of_command_hosts(tx, candidates) if candidates else {}
    if not did:
        return found
    return [replace(one, transfer=did.get(row["id"])) for row, one in zip(rows, found, strict=True)]


def command_host_of(row: Row) -> CommandHost:
    """The command host of one row; see `command_hosts_of`."""
    return command_hosts_of((row,))[0]


def command_hosts_of(rows: Sequence[Row]) -> list[CommandHost]:
    """The command hosts of rows of `command_hosts` with the id and name of their hosts. One that is
    pending waits for its host, if the service does not know that this is connected."""
    return [_command_host(*values) for values in _COLUMNS.values(rows)]


def _command_host(
    execution_id: str,
    task_id: int,
    position: int,
    host_id: str,
    host_name: str,
    status: str,
    reason: str,
    detail: str,
    exit_code: int | None,
    signal: int | None,
    stdout_bytes: int,
    stderr_bytes: int,
    truncated_bytes: int,
    sent_at: int | None,
    started_at: int | None,
    finished_at: int | None,
    cancel_requested_at: int | None,
    late: int,
    kill_incomplete: int,
    batch: int,
    deliver_before: int | None,
) -> CommandHost:
    return CommandHost(
        execution_id,
        task_id,
        position,
        host_id,
        host_name,
        _STATUSES[status],
        _REASONS[reason],
        detail,
        exit_code,
        signal,
        stdout_bytes,
        stderr_bytes,
        truncated_bytes,
        to_datetime(sent_at),
        to_datetime(started_at),
        to_datetime(finished_at),
        to_datetime(cancel_requested_at),
        bool(late),
        bool(kill_incomplete),
        batch,
        to_datetime(deliver_before) if status == _PENDING else None,
    )
