"""Rows of `command_hosts`: each legal move is one guarded statement."""

import sqlite3
from dataclasses import dataclass

from tui_manager.domain.report import Result
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.storage.connection import Transaction
from tui_manager.storage.instants import from_timedelta
from tui_manager.storage.queries import load

_SQL = load("command_hosts.sql")


@dataclass(slots=True)
class Known:
    """What is stored of an execution that a report speaks of.

    Attributes:
        output_limit: bytes, both streams together; None: not known.
        canceled: whether an operator has asked for its end.
    """

    row_id: int
    execution_id: str
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


def of_host(tx: Transaction, host: int, execution_id: str) -> Known | None:
    """An execution of this host; None for one that is unknown or another host's."""
    values = {"execution_id": execution_id, "host": host}
    row = tx.execute(_SQL["of_host"], values).fetchone()
    if row is None:
        return None
    return Known(
        row_id=row["id"],
        execution_id=execution_id,
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
    )


def exists(tx: Transaction, execution_id: str) -> bool:
    """Whether any host has this execution."""
    found = tx.execute(_SQL["exists"], {"execution_id": execution_id}).fetchone()
    return bool(found["some"])


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


def start(tx: Transaction, row_id: int, started_at: int) -> bool:
    """START; False when that is not a move from where the row stands."""
    values = {"id": row_id, "started_at": started_at}
    return bool(tx.execute(_SQL["start"], values).rowcount)


def finish(tx: Transaction, row_id: int, result: Result, now: int) -> bool:
    """A result; False when it is not a move from where the row stands. `now` in microseconds."""
    finished_at = now - from_timedelta(result.age)
    ran = result.duration
    totals = result.totals
    values = {
        "id": row_id,
        "status": result.status,
        "reason": result.reason,
        "detail": result.detail,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "started_at": None if ran is None else finished_at - from_timedelta(ran),
        "finished_at": finished_at,
        "stdout_total": totals[Stream.STDOUT].stored if Stream.STDOUT in totals else 0,
        "stderr_total": totals[Stream.STDERR].stored if Stream.STDERR in totals else 0,
        "truncated_bytes": sum(total.dropped for total in totals.values()),
        "cpu": from_timedelta(result.cpu),
        "memory_peak": result.memory_peak,
        "kill_incomplete": result.kill_incomplete,
    }
    return bool(tx.execute(_SQL["finish"], values).rowcount)


def set_stored(tx: Transaction, known: Known, truncated: int) -> None:
    """Stores how far the output of an execution is stored, and how much came past its limit."""
    stored = known.stored
    values = {
        "id": known.row_id,
        "stdout": stored[Stream.STDOUT],
        "stderr": stored[Stream.STDERR],
        "truncated": truncated,
    }
    tx.execute(_SQL["stored"], values)


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


def skip(tx: Transaction, task_id: int, host: int, position: int, reason: Reason, now: int) -> None:
    """SKIP for the commands of a task behind `position` on this host."""
    values = {"task_id": task_id, "host": host, "position": position, "reason": reason, "now": now}
    tx.execute(_SQL["skip"], values)


def make_ready(tx: Transaction, task_id: int, host: int, position: int, now: int) -> None:
    """Lets the command at `position` be sent, if the task has one there."""
    values = {"task_id": task_id, "host": host, "position": position, "now": now}
    tx.execute(_SQL["make_ready"], values)


def hosts_with_work(tx: Transaction) -> list[str]:
    """host_id of each host that has something sent or waiting."""
    return [row["host_id"] for row in tx.execute(_SQL["hosts_with_work"])]
