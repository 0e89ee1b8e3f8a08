"""Command hosts on their way to agents: unsent, sent and not ended, held by an agent."""

from collections.abc import Iterable

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.storage.engine.statements import load_queries, pack_values
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.tasks.command_hosts import stored_bytes, total_bytes

_SQL = load_queries("command_delivery.sql")
GUESSED_MAX = 1000  # of a host, read when its agent comes back


@dataclass(frozen=True, slots=True)
class UnsentCommand:
    """A command host that has not been sent."""

    row_id: int
    task_id: int
    host: int
    position: int


def _unsent(rows: Iterable[Row]) -> list[UnsentCommand]:
    return [UnsentCommand(row["id"], row["task_id"], row["host"], row["position"]) for row in rows]


def unsent_of_host(tx: Transaction, host: int) -> list[UnsentCommand]:
    """Unsent commands of a host that have no delivery timeout."""
    return _unsent(tx.execute(_SQL["unsent_of_host"], {"host": host}))


def unsent_since(tx: Transaction, host: int, since: int) -> list[UnsentCommand]:
    """Unsent commands of a host that have no delivery timeout, of tasks that have started since an
    instant, in microseconds since 1970 UTC."""
    return _unsent(tx.execute(_SQL["unsent_since"], {"host": host, "since": since}))


def unsent_of_turned_away(tx: Transaction, host: int) -> list[UnsentCommand]:
    """Unsent commands of a host, with a delivery timeout or without."""
    return _unsent(tx.execute(_SQL["unsent_of_turned_away"], {"host": host}))


def unsent_of_task(tx: Transaction, task_id: int) -> list[UnsentCommand]:
    """Unsent commands of a task whose turn has come and that have no delivery timeout."""
    return _unsent(tx.execute(_SQL["unsent_of_task"], {"task_id": task_id}))


def hosts_to_send(tx: Transaction, task_id: int) -> set[int]:
    """Row ids of the hosts with an unsent command of a task whose turn has come."""
    return {row["host"] for row in tx.execute(_SQL["hosts_to_send"], {"task_id": task_id})}


def extend_delivery(tx: Transaction, task_id: int, by: int) -> None:
    """The delivery timeouts of a task did not run for so many microseconds."""
    tx.execute(_SQL["extend_delivery"], {"task_id": task_id, "by": by})


def undelivered(tx: Transaction, now: int) -> list[UnsentCommand]:
    """Unsent commands past their delivery timeout."""
    return _unsent(tx.execute(_SQL["undelivered"], {"now": now}))


def hosts_to_give_up(tx: Transaction, now: int) -> set[int]:
    """Row ids of hosts with a command that was sent, has not begun, and either is past its delivery
    timeout or was cancelled."""
    return {row["host"] for row in tx.execute(_SQL["hosts_to_give_up"], {"now": now})}


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that was sent and has not ended; a returning agent must say what became of it."""

    row_id: int
    execution_id: str
    task_id: int
    position: int
    status: CommandHostStatus
    journal_id: str
    canceled: bool


def sent_unended(tx: Transaction, host: int) -> list[SentCommand]:
    """Commands that were sent to a host and have not ended."""
    return [
        SentCommand(
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
    """Commands that were sent to this journal of a host, never reported as begun, and ended by a
    guess of the manager: row ids by execution_id, at most GUESSED_MAX, the oldest first."""
    values = {"host": host, "journal_id": journal_id, "limit": GUESSED_MAX}
    return {row["execution_id"]: row["id"] for row in tx.execute(_SQL["guessed"], values)}


def mark_not_held(tx: Transaction, row_ids: Iterable[int]) -> None:
    """The journal to which these were sent does not hold them."""
    tx.execute(_SQL["mark_not_held"], {"row_ids": pack_values(row_ids)})


def mark_held(tx: Transaction, row_id: int, journal_id: str, now: int) -> None:
    """A journal holds the command, although it is not marked as sent."""
    tx.execute(_SQL["mark_held"], {"id": row_id, "journal_id": journal_id, "now": now})


def mark_unsent(tx: Transaction, row_id: int) -> bool:
    """Lets a command that never arrived be sent again; False: it is not pending."""
    return bool(tx.execute(_SQL["mark_unsent"], {"id": row_id}).rowcount)


def cancel_is_requested(tx: Transaction, row_id: int) -> bool:
    """Whether an operator has asked for the end of a command on its host, or of its task."""
    return tx.execute(_SQL["cancel_is_requested"], {"id": row_id}).fetchone() is not None


@dataclass(frozen=True, slots=True)
class HeldExecution:
    """What is stored of an execution that a returning agent holds.

    Attributes:
        complete: the result is stored, and the output up to its totals.
        unsent: the database says that it was not sent: it is older than the agent's journal.
    """

    row_id: int
    task_id: int
    status: CommandHostStatus
    reason: Reason
    stored: dict[Stream, int]
    complete: bool
    canceled: bool
    unsent: bool


def held(tx: Transaction, host: int, execution_id: str) -> HeldExecution | None:
    """What is stored of an execution of this host; None: it is unknown."""
    row = tx.execute(_SQL["held"], {"execution_id": execution_id, "host": host}).fetchone()
    if row is None:
        return None
    stored, totals = stored_bytes(row), total_bytes(row)
    return HeldExecution(
        row_id=row["id"],
        task_id=row["task_id"],
        status=CommandHostStatus(row["status"]),
        reason=Reason(row["reason"]),
        stored=stored,
        complete=totals is not None and all(stored[key] >= totals[key] for key in totals),
        canceled=bool(row["canceled"]),
        unsent=bool(row["unsent"]),
    )
