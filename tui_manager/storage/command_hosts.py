"""Rows of `command_hosts`: each legal move is one guarded statement."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tui_manager.domain.report import Result
from tui_manager.domain.status import CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.storage.connection import Transaction
from tui_manager.storage.instants import from_timedelta
from tui_manager.storage.queries import load

_SQL = load("command_hosts.sql")


@dataclass(slots=True)
class Known:
    """What is stored of an execution that a report speaks of.

    Attributes:
        host: the row id of the host that it belongs to.
        output_limit: bytes, both streams together; None: not known.
        canceled: whether an operator has asked for its end.
        task_canceled: whether its task has ended as canceled.
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
    return {row["execution_id"]: _known(row) for row in tx.execute(_SQL["known"], values)}


def _known(row: sqlite3.Row) -> Known:
    return Known(
        row_id=row["id"],
        execution_id=row["execution_id"],
        host=row["host"],
        task_id=row["task_id"],
        position=row["position"],
        status=CommandHostStatus(row["status"]),
        reason=Reason(row["reason"]),
        stored=stored_bytes(row),
        totals=total_bytes(row),
        exit_code=row["exit_code"],
        signal=row["signal"],
        output_limit=row["output_limit"],
        canceled=row["cancel_requested_at"] is not None,
        task_canceled=row["task_status"] == TaskStatus.CANCELED,
    )


@dataclass(frozen=True, slots=True)
class NewRow:
    """One command on one host of a task that starts."""

    execution_id: str
    task_id: int
    command_id: int
    position: int
    host: int
    status: CommandHostStatus
    reason: Reason
    ready: bool
    finished_at: int | None
    deliver_before: int | None = None


def insert(tx: Transaction, rows: list[NewRow]) -> None:
    """Adds the command hosts of a task that starts."""
    tx.executemany(
        _SQL["insert"],
        [{name: getattr(row, name) for name in NewRow.__dataclass_fields__} for row in rows],
    )


@dataclass(frozen=True, slots=True)
class Start:
    """START of a row. `at` in microseconds."""

    row_id: int
    at: int


def start(tx: Transaction, starts: Iterable[Start]) -> int:
    """START; how many of the rows moved."""
    values = [{"id": item.row_id, "started_at": item.at} for item in starts]
    return tx.executemany(_SQL["start"], values).rowcount


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
    return tx.executemany(_SQL["finish"], [_finish(item) for item in finishes]).rowcount


def _finish(finish: Finish) -> dict[str, object]:
    result, stored = finish.result, finish.stored
    finished_at = finish.now - from_timedelta(result.age)
    ran, totals = result.duration, result.totals
    dropped = sum(total.dropped for total in totals.values())
    return {
        "id": finish.row_id,
        "status": result.status,
        "reason": result.reason,
        "detail": result.detail,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "started_at": None if ran is None else finished_at - from_timedelta(ran),
        "finished_at": finished_at,
        "stdout_bytes": stored[Stream.STDOUT],
        "stderr_bytes": stored[Stream.STDERR],
        "stdout_total": totals[Stream.STDOUT].stored if Stream.STDOUT in totals else 0,
        "stderr_total": totals[Stream.STDERR].stored if Stream.STDERR in totals else 0,
        "truncated_bytes": max(dropped, finish.past_limit),
        "cpu": from_timedelta(result.cpu),
        "memory_peak": result.memory_peak,
        "kill_incomplete": result.kill_incomplete,
    }


def set_stored(tx: Transaction, grown: Iterable[tuple[Known, int]]) -> None:
    """Stores how far the output of executions is stored, and how much came past their limit."""
    values = [
        {
            "id": item.row_id,
            "stdout": item.stored[Stream.STDOUT],
            "stderr": item.stored[Stream.STDERR],
            "truncated": truncated,
        }
        for item, truncated in grown
    ]
    tx.executemany(_SQL["stored"], values)


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


def lose(tx: Transaction, host: int, now: int) -> list[tuple[int, int]]:
    """LOSE_AGENT and LOSE_CANCELED for all that was sent to a host; (task_id, position) of each."""
    values = {"host": host, "now": now}
    rows = tx.execute(_SQL["lose_agent"], values).fetchall()
    rows += tx.execute(_SQL["lose_canceled"], values).fetchall()
    return [(row["task_id"], row["position"]) for row in rows]


def lose_state(tx: Transaction, row_id: int, now: int) -> bool:
    """LOSE_STATE; False when that is not a move from where the row stands."""
    return bool(tx.execute(_SQL["lose_state"], {"id": row_id, "now": now}).rowcount)


@dataclass(frozen=True, slots=True)
class Place:
    """A command of a task on a host. `now` in microseconds."""

    task_id: int
    host: int
    position: int
    now: int


def skip(tx: Transaction, behind: Iterable[Place], reason: Reason) -> None:
    """SKIP for the commands of a task behind each place on its host."""
    values = [{**_place(place), "reason": reason} for place in behind]
    tx.executemany(_SQL["skip"], values)


def make_ready(tx: Transaction, places: Iterable[Place]) -> None:
    """Lets the command at each place be sent, if the task has one there."""
    tx.executemany(_SQL["make_ready"], [_place(place) for place in places])


def _place(place: Place) -> dict[str, object]:
    return {
        "task_id": place.task_id,
        "host": place.host,
        "position": place.position,
        "now": place.now,
    }


def hosts_with_work(tx: Transaction) -> list[str]:
    """host_id of each host that has something sent or waiting."""
    return [row["host_id"] for row in tx.execute(_SQL["hosts_with_work"])]
