"""Rows of `command_hosts`: each legal move is one guarded statement."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from tui_manager.domain.report import Result, Run
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task import CommandHost
from tui_manager.domain.window import LIMIT_MAX, Page, Window
from tui_manager.storage.connection import Transaction
from tui_manager.storage.instants import from_timedelta, to_datetime
from tui_manager.storage.queries import load
from tui_manager.storage.tasks import like, spec_of

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
    command_id: int
    position: int
    host: int
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


def _stored(row: sqlite3.Row) -> dict[Stream, int]:
    return {Stream.STDOUT: row["stdout_bytes"], Stream.STDERR: row["stderr_bytes"]}


def _totals(row: sqlite3.Row) -> dict[Stream, int] | None:
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
        command_id=row["command_id"],
        position=row["position"],
        host=row["host"],
        status=CommandHostStatus(row["status"]),
        reason=Reason(row["reason"]),
        stored=_stored(row),
        totals=_totals(row),
        exit_code=row["exit_code"],
        signal=row["signal"],
        output_limit=row["output_limit"],
        canceled=row["cancel_requested_at"] is not None,
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


def make_ready(tx: Transaction, task_id: int, host: int, position: int, now: int) -> bool:
    """Lets the command at `position` be sent; False when the task has none there."""
    values = {"task_id": task_id, "host": host, "position": position, "now": now}
    return bool(tx.execute(_SQL["make_ready"], values).rowcount)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command host that has not been sent."""

    row_id: int
    task_id: int
    host: int
    position: int


def _waiting(rows: Iterable[sqlite3.Row]) -> list[Waiting]:
    return [Waiting(row["id"], row["task_id"], row["host"], row["position"]) for row in rows]


def unsent_of_host(tx: Transaction, host: int) -> list[Waiting]:
    """What waits to be sent to a host without a delivery timeout of its own."""
    return _waiting(tx.execute(_SQL["unsent_of_host"], {"host": host}))


def undelivered(tx: Transaction, now: int) -> list[Waiting]:
    """What has waited past its delivery timeout."""
    return _waiting(tx.execute(_SQL["undelivered"], {"now": now}))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A command host that has just been marked as sent.

    Attributes:
        waits: whether it may wait for its host when it cannot be handed over.
    """

    row_id: int
    task_id: int
    position: int
    run: Run
    waits: bool


def claim(
    tx: Transaction,
    host: int,
    room: int,
    journal_id: str,
    now: int,
    kill_grace: timedelta,
    output_limit: int,
) -> list[Claimed]:
    """Marks up to `room` commands that may be sent to a host as sent to `journal_id`."""
    rows = tx.execute(_SQL["to_send"], {"host": host, "room": room, "now": now}).fetchall()
    claimed = []
    for row in rows:
        command = tx.execute(_SQL["command"], {"command_id": row["command_id"]}).fetchone()
        spec = spec_of(command)
        before: int | None = row["deliver_before"]
        mark_sent(tx, row["id"], journal_id, now, output_limit)
        run = Run(
            execution_id=row["execution_id"],
            text=spec.text,
            cwd=spec.cwd,
            environment={**spec.environment, **spec.parameters},
            timeout=spec.timeout,
            kill_grace=kill_grace,
            output_limit=output_limit,
            start_before=None if before is None else timedelta(microseconds=before - now),
        )
        waits = before is not None
        claimed.append(Claimed(row["id"], row["task_id"], row["position"], run, waits))
    return claimed


@dataclass(frozen=True, slots=True)
class Sent:
    """Something that was sent and has not ended: a returning agent must answer for it."""

    row_id: int
    execution_id: str
    task_id: int
    position: int
    status: CommandHostStatus
    journal_id: str
    canceled: bool


def sent_unended(tx: Transaction, host: int) -> list[Sent]:
    """What was sent to a host and has not ended."""
    return [
        Sent(
            row_id=row["id"],
            execution_id=row["execution_id"],
            task_id=row["task_id"],
            position=row["position"],
            status=CommandHostStatus(row["status"]),
            journal_id=row["sent_journal_id"],
            canceled=row["cancel_requested_at"] is not None,
        )
        for row in tx.execute(_SQL["sent_unended"], {"host": host})
    ]


def mark_sent(
    tx: Transaction, row_id: int, journal_id: str, now: int, output_limit: int | None
) -> None:
    """The command is sent to a journal now, or is held by it and so was sent there."""
    values = {"id": row_id, "now": now, "journal_id": journal_id, "output_limit": output_limit}
    tx.execute(_SQL["mark_sent"], values)


def mark_unsent(tx: Transaction, row_id: int) -> bool:
    """Lets a command that never arrived be sent again; False unless it is pending."""
    return bool(tx.execute(_SQL["mark_unsent"], {"id": row_id}).rowcount)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the manager knows of an execution that a returning agent holds.

    Attributes:
        unsent: as far as the database knows, which is older than the agent's journal.
    """

    row_id: int
    task_id: int
    status: CommandHostStatus
    reason: Reason
    stored: dict[Stream, int]
    whole: bool
    canceled: bool
    unsent: bool


def held(tx: Transaction, host: int, execution_id: str) -> Remembered | None:
    """What is stored of an execution of this host; None for an unknown one."""
    row = tx.execute(_SQL["held"], {"execution_id": execution_id, "host": host}).fetchone()
    if row is None:
        return None
    stored, totals = _stored(row), _totals(row)
    return Remembered(
        row_id=row["id"],
        task_id=row["task_id"],
        status=CommandHostStatus(row["status"]),
        reason=Reason(row["reason"]),
        stored=stored,
        whole=totals is not None and all(stored[key] >= totals[key] for key in totals),
        canceled=bool(row["canceled"]),
        unsent=bool(row["unsent"]),
    )


def hosts_with_work(tx: Transaction) -> list[str]:
    """host_id of each host that has something sent or waiting."""
    return [row["host_id"] for row in tx.execute(_SQL["hosts_with_work"])]


def window(
    tx: Transaction, task_id: int, window: Window, command: int | None, total: int
) -> Page[CommandHost]:
    """Command hosts of a task, which has `total` of them."""
    values = {
        "task_id": task_id,
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
        "pattern": like(window.text),
        "command": command,
        "faults_only": window.faults_only,
        "by_host": window.sort == "host",
    }
    if window.text or window.faults_only or command is not None:
        rows = tx.execute(_SQL["filtered"], values).fetchall()
        matching = rows[0]["matching"] if rows else 0
    else:
        query = "by_place" if window.sort == "host" else "by_attention"
        rows = tx.execute(_SQL[query], values).fetchall()
        matching = total
    return Page([_command_host(row) for row in rows], matching, total)


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
