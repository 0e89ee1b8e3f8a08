"""Rows of `command_hosts`: each legal move is one guarded statement."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tui_manager.domain.report import Result
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.instants import from_timedelta
from tui_manager.storage.engine.queries import load
from tui_manager.storage.engine.rows import fetch, packed

_SQL = load("command_hosts.sql")


@dataclass(slots=True)
class Known:
    """What is stored of an execution that a report speaks of.

    Attributes:
        host: the row id of the host that it belongs to.
        output_limit: bytes, both streams together; None: not known.
        canceled: whether an operator has asked for its end.
        task_canceled: whether its task has ended as canceled.
        not_held: its agent came back with the same journal and without it.
    """

    row_id: int
    execution_id: str
    host: int
    task_id: int
    position: int
    status: CommandHostStatus
    reason: Reason
    stored: dict[Stream, int]
    totals: dict[Stream, int] | None
    exit_code: int | None
    signal: int | None
    output_limit: int | None
    canceled: bool
    task_canceled: bool
    not_held: bool

    @property
    def whole(self) -> bool:
        """Whether the result is known and the output has reached its totals."""
        return self.totals is not None and all(
            self.stored[stream] >= total for stream, total in self.totals.items()
        )


def stored_bytes(row: sqlite3.Row) -> dict[Stream, int]:
    """How far the output of each stream is stored."""
    return {Stream.STDOUT: row["stdout_bytes"], Stream.STDERR: row["stderr_bytes"]}


def total_bytes(row: sqlite3.Row) -> dict[Stream, int] | None:
    """How long each stream is on the host; None as long as there is no result."""
    if row["stdout_total"] is None:
        return None
    return {Stream.STDOUT: row["stdout_total"], Stream.STDERR: row["stderr_total"]}


def known(tx: Transaction, execution_ids: Iterable[str]) -> dict[str, Known]:
    """What is stored of these executions, whosever they are; those that are not are left out."""
    values = {"execution_ids": json.dumps(list(execution_ids))}
    return {known.execution_id: known for known in map(_known, fetch(tx, _SQL["known"], values))}


def _known(row: list[Any]) -> Known:
    row_id, execution_id, host, task_id, position, status, reason, *rest = row
    stdout, stderr, stdout_total, stderr_total, *rest = rest
    exit_code, signal, output_limit, canceled, task_canceled, not_held = rest
    return Known(
        row_id=row_id,
        execution_id=execution_id,
        host=host,
        task_id=task_id,
        position=position,
        status=CommandHostStatus(status),
        reason=Reason(reason),
        stored={Stream.STDOUT: stdout, Stream.STDERR: stderr},
        totals=(
            None
            if stdout_total is None
            else {Stream.STDOUT: stdout_total, Stream.STDERR: stderr_total}
        ),
        exit_code=exit_code,
        signal=signal,
        output_limit=output_limit,
        canceled=bool(canceled),
        task_canceled=bool(task_canceled),
        not_held=bool(not_held),
    )


class NewRow(NamedTuple):
    """One command on one host of a task that starts; instants in microseconds."""

    execution_id: str
    host: int
    status: CommandHostStatus
    reason: Reason
    ready: bool
    finished_at: int | None
    deliver_before: int | None = None


def insert(
    tx: Transaction, task_id: int, command_id: int, position: int, rows: Iterable[NewRow]
) -> None:
    """Adds the command hosts of a command, whose task starts; `position` is its place in that."""
    values = {"task_id": task_id, "command_id": command_id, "position": position}
    tx.execute(_SQL["insert"], {**values, "rows": packed(rows)})


class Start(NamedTuple):
    """START of a row. `at` in microseconds."""

    row_id: int
    at: int


def start(tx: Transaction, starts: Iterable[Start]) -> int:
    """START; how many of the rows moved."""
    return tx.execute(_SQL["start"], {"rows": packed(starts)}).rowcount


@dataclass(frozen=True, slots=True)
class Finish:
    """A result of a row.

    Attributes:
        stored: how far the output of each stream is stored by now.
        past_limit: bytes of output that came past its limit.
        now: when it was reported, microseconds.
    """

    row_id: int
    result: Result
    stored: Mapping[Stream, int]
    past_limit: int
    now: int


def finish(tx: Transaction, finishes: Iterable[Finish]) -> int:
    """Results; how many of the rows moved."""
    return tx.execute(_SQL["finish"], {"rows": packed(map(_finish, finishes))}).rowcount


def _finish(finish: Finish) -> tuple[object, ...]:
    result, stored = finish.result, finish.stored
    finished_at = finish.now - from_timedelta(result.age)
    ran, totals = result.duration, result.totals
    dropped = sum(total.dropped for total in totals.values())
    return (
        finish.row_id,
        result.status,
        result.reason,
        result.detail,
        result.exit_code,
        result.signal,
        None if ran is None else finished_at - from_timedelta(ran),
        finished_at,
        stored[Stream.STDOUT],
        stored[Stream.STDERR],
        totals[Stream.STDOUT].stored if Stream.STDOUT in totals else 0,
        totals[Stream.STDERR].stored if Stream.STDERR in totals else 0,
        max(dropped, finish.past_limit),
        from_timedelta(result.cpu),
        result.memory_peak,
        result.kill_incomplete,
    )


def set_stored(tx: Transaction, grown: Iterable[tuple[Known, int]]) -> None:
    """Stores how far the output of executions is stored, and how much came past their limit."""
    rows = (
        (item.row_id, item.stored[Stream.STDOUT], item.stored[Stream.STDERR], truncated)
        for item, truncated in grown
    )
    tx.execute(_SQL["stored"], {"rows": packed(rows)})


def cancel_unsent(tx: Transaction, task_id: int, now: int) -> int:
    """CANCEL_UNSENT for a whole task; how many rows moved."""
    return tx.execute(_SQL["cancel_unsent"], {"task_id": task_id, "now": now}).rowcount


def request_cancel(tx: Transaction, task_id: int, now: int) -> list[tuple[int, str]]:
    """Marks what was sent and has not ended; (host row id, execution_id) of each."""
    values = {"task_id": task_id, "now": now}
    rows = tx.execute(_SQL["request_cancel"], values).fetchall()
    return [(row["host"], row["execution_id"]) for row in rows]


def give_up_sending(tx: Transaction, row_id: int, detail: str, now: int) -> bool:
    """GIVE_UP_SENDING; False when that is not a move from where the row stands."""
    values = {"id": row_id, "detail": detail, "now": now}
    return bool(tx.execute(_SQL["give_up_sending"], values).rowcount)


def refuse_sending(tx: Transaction, row_id: int, detail: str, now: int) -> bool:
    """REFUSE_SENDING; False when that is not a move from where the row stands."""
    values = {"id": row_id, "detail": detail, "now": now}
    return bool(tx.execute(_SQL["refuse_sending"], values).rowcount)


def lose(tx: Transaction, host: int, now: int, *, for_good: bool) -> list[tuple[int, int]]:
    """LOSE_AGENT and LOSE_CANCELED for what was sent to a host; (task_id, position) of each.

    Args:
        for_good: the host never comes back. Otherwise what has not begun is left alone until its
            delivery timeout, if it has one and nobody has cancelled it.
    """
    values = {"host": host, "now": now}
    rows = tx.execute(_SQL["lose_agent"], {**values, "for_good": for_good}).fetchall()
    rows += tx.execute(_SQL["lose_canceled"], values).fetchall()
    return [(row["task_id"], row["position"]) for row in rows]


def lose_state(tx: Transaction, row_id: int, now: int) -> bool:
    """LOSE_STATE; False when that is not a move from where the row stands."""
    return bool(tx.execute(_SQL["lose_state"], {"id": row_id, "now": now}).rowcount)


class Place(NamedTuple):
    """A command of a task on a host. `now` in microseconds."""

    task_id: int
    host: int
    position: int
    now: int


def skip(tx: Transaction, behind: Iterable[Place], reason: Reason) -> None:
    """SKIP for the commands of a task behind each place on its host."""
    tx.execute(_SQL["skip"], {"rows": packed(behind), "reason": reason})


def make_ready(tx: Transaction, places: Iterable[Place]) -> None:
    """Lets the command at each place be sent, if the task has one there."""
    tx.execute(_SQL["make_ready"], {"rows": packed(places)})


def hosts_with_work(tx: Transaction) -> list[str]:
    """host_id of each host that has something sent or waiting."""
    return [row["host_id"] for row in tx.execute(_SQL["hosts_with_work"])]
