"""Windows onto the command hosts of a task.

A list is a row of groups, whose sizes the counters of the commands know: where a window lies is
reckoned, and only within one group, which has at most as many rows as there are hosts, counted.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from tui_manager.domain.changes import Changes
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task import CommandHost
from tui_manager.domain.window import LIMIT_MAX, Page, Window
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.instants import to_datetime
from tui_manager.storage.engine.queries import load
from tui_manager.storage.views.filtering import like
from tui_manager.storage.views.scanning import LOOKS, Look, Scan, ids_of

_SQL = load("command_host_list.sql")
_COMMANDS = load("tasks.sql")["commands"]
# In the order of attention; the number of each is what the column `attention` says.
_ATTENTION = ("failed", "timeout", "skipped", "running", "pending", "canceled", "completed")
_FAULTS = 3  # the first of them


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one command in the order of hosts: those that stand alike, all, or its faults.

    Attributes:
        query: the name of the query for them.
    """

    position: int
    attention: int | None
    size: int
    query: str


def _by_attention(commands: Sequence[sqlite3.Row], *, faults_only: bool) -> Iterator[_Group]:
    for attention, status in enumerate(_ATTENTION[: _FAULTS if faults_only else None]):
        for row in commands:
            yield _Group(row["position"], attention, row[status], "by_attention")


def _by_host(commands: Sequence[sqlite3.Row], *, faults_only: bool) -> Iterator[_Group]:
    query = "faults_by_place" if faults_only else "by_place"
    counters = _ATTENTION[:_FAULTS] if faults_only else ("total",)
    for row in commands:
        yield _Group(row["position"], None, sum(row[counter] for counter in counters), query)


def _groups(tx: Transaction, task_id: int, window: Window, command: int | None) -> list[_Group]:
    """The groups of a list that have rows, in its order."""
    commands = [
        row
        for row in tx.execute(_COMMANDS, {"task_id": task_id})
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
    rows: list[CommandHost] = []
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
            rows += [_command_host(row) for row in tx.execute(_SQL[group.query], values)]
        skipped = max(0, skipped - group.size)
    return Page(rows, sum(group.size for group in groups), total)


@dataclass(frozen=True, slots=True)
class _Place:
    """A row's place: in the order of attention, or, with attention 0, of commands and hosts."""

    attention: int
    position: int
    id: int


_BEFORE_ALL, _BEHIND_ALL = _Place(0, -1, 0), _Place(len(_ATTENTION), sys.maxsize, 0)


class CommandHostScan(Scan[_Place]):
    """Those of a task, in the order of a window, that contain its text."""

    def __init__(self, task_id: int, window: Window, command: int | None) -> None:
        super().__init__(_BEFORE_ALL)
        self._task_id = task_id
        self._order = "by_place" if window.sort == "host" else "by_attention"
        self._values = {
            "task_id": task_id,
            "command": command,
            "end": _FAULTS if window.faults_only else len(_ATTENTION),
            "pattern": like(window.text),
            "statuses": json.dumps(
                [n for n, status in enumerate(_ATTENTION) if window.text.casefold() in status]
            ),
        }

    def survives(self, changes: Changes) -> bool:
        """Rows that change may stand elsewhere."""
        return not changes.all_tasks and self._task_id not in changes.tasks

    def look(self, tx: Transaction, place: _Place) -> Look[_Place]:
        """Looks at rows behind a place."""
        values = {**self._values, **asdict(place)}
        query = _SQL[f"last_{self._order}"]
        row = tx.execute(query, {**values, "looks": LOOKS}).fetchone()
        last = _Place(*row) if row else _BEHIND_ALL
        values |= {f"last_{name}": value for name, value in asdict(last).items()}
        passed = ids_of(tx, _SQL[f"passing_{self._order}"], values)
        return Look(passed, last if row else None)


def scanned(
    tx: Transaction, scan: CommandHostScan, window: Window, total: int
) -> Page[CommandHost]:
    """A window onto what a scan has found, once it has looked a little further."""
    scan.go_on(tx)
    rows = tx.execute(_SQL["these"], {"ids": scan.ids(window)})
    found = [_command_host(row) for row in rows]
    return Page(found, len(scan.found), total, scan.partial)


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
