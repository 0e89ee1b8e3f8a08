"""Rows of `command_hosts` on their way to agents: what may be sent, what was, what came of it."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tui_manager.domain.report import Run
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.storage import secrets
from tui_manager.storage.command_hosts import stored_bytes, total_bytes
from tui_manager.storage.connection import Transaction
from tui_manager.storage.queries import load
from tui_manager.storage.tasks import spec_of

_SQL = load("sending.sql")


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


def unsent_of_turned_away(tx: Transaction, host: int) -> list[Waiting]:
    """What waits to be sent to a host, whatever its delivery timeout."""
    return _waiting(tx.execute(_SQL["unsent_of_turned_away"], {"host": host}))


def undelivered(tx: Transaction, now: int) -> list[Waiting]:
    """What has waited past its delivery timeout."""
    return _waiting(tx.execute(_SQL["undelivered"], {"now": now}))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A command host that has just been marked as sent.

    Attributes:
        run: without its secrets.
        secrets: sealed; None for one that is erased.
    """

    row_id: int
    task_id: int
    command_id: int
    position: int
    run: Run
    secrets: Mapping[str, bytes | None]


def waits(tx: Transaction, host: int) -> bool:
    """Whether something waits to be sent to a host."""
    return bool(tx.execute(_SQL["waits"], {"host": host}).fetchone()["some"])


def claim(
    tx: Transaction,
    host: int,
    room: int,
    most: int,
    journal_id: str,
    now: int,
    kill_grace: timedelta,
    output_limit: int,
) -> list[Claimed]:
    """Marks commands that may be sent to a host as sent to `journal_id`: up to `room`, and not so
    many that more than `most` are under way."""
    under_way = tx.execute(_SQL["under_way"], {"host": host}).fetchone()["commands"]
    room = max(0, min(room, most - under_way))
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
            user=spec.run_as_user,
        )
        command_id: int = row["command_id"]
        sealed = secrets.sealed(tx, command_id)
        claimed.append(Claimed(row["id"], row["task_id"], command_id, row["position"], run, sealed))
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
    stored, totals = stored_bytes(row), total_bytes(row)
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
