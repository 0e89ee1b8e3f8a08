"""Rows of `command_hosts` on their way to agents: what may be sent, what was, what came of it."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.queries import load
from tui_manager.storage.engine.rows import packed
from tui_manager.storage.tables.command_hosts import stored_bytes, total_bytes

_SQL = load("sending.sql")
GUESSED_MAX = 1000  # of a host, looked at when its agent comes back


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


def hosts_to_give_up(tx: Transaction, now: int) -> set[int]:
    """Row ids of hosts that have not answered for a command that was sent to them, and whose
    delivery timeout has passed or which was cancelled."""
    return {row["host"] for row in tx.execute(_SQL["hosts_to_give_up"], {"now": now})}


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


def guessed(tx: Transaction, host: int, journal_id: str) -> dict[str, int]:
    """What was sent to this journal of a host and given up by a guess, as far as it is known not to
    have begun: row ids by execution_id, at most GUESSED_MAX, the oldest first."""
    values = {"host": host, "journal_id": journal_id, "limit": GUESSED_MAX}
    return {row["execution_id"]: row["id"] for row in tx.execute(_SQL["guessed"], values)}


def mark_not_held(tx: Transaction, row_ids: Iterable[int]) -> None:
    """The journal that these were sent to does not hold them."""
    tx.execute(_SQL["mark_not_held"], {"row_ids": json.dumps(list(row_ids))})


class Sending(NamedTuple):
    """A command host that is sent to a journal now; `now` in microseconds since 1970 UTC."""

    row_id: int
    now: int
    journal_id: str
    output_limit: int | None


def mark_all_sent(tx: Transaction, sendings: Iterable[Sending]) -> None:
    """See `mark_sent`."""
    tx.execute(_SQL["mark_sent"], {"rows": packed(sendings)})


def mark_sent(
    tx: Transaction, row_id: int, journal_id: str, now: int, output_limit: int | None
) -> None:
    """The command is sent to a journal now, or is held by it and so was sent there."""
    mark_all_sent(tx, [Sending(row_id, now, journal_id, output_limit)])


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
