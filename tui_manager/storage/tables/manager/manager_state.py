"""What the manager stores of itself: its id, the time of its wall clock, and the jumps of this
clock."""

import uuid
from dataclasses import asdict

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import rollouts

_SQL = load_queries("manager_state.sql")


def manager_id(tx: Transaction, now: int) -> str:
    """The id of the manager that owns this database. The first start makes it. Of two that start
    at once, one does.

    Args:
        now: microseconds since 1970 UTC.
    """
    found = known_manager_id(tx)
    if found:
        return found
    tx.execute(_SQL["insert_manager"], {"manager_id": str(uuid.uuid4()), "now": now})
    return known_manager_id(tx)


def known_manager_id(tx: Transaction) -> str:
    """The same; empty: the database is new."""
    row = tx.execute(_SQL["manager_id"]).fetchone()
    return "" if row is None else str(row["manager_id"])


@dataclass(frozen=True, slots=True)
class ClockRow:
    """The stored time. Instants and durations are microseconds.

    Attributes:
        trusted_at: the time, as far as the manager can tell.
        shown_at: what the clock showed then.
        since: the time, by the same clock, since which it has not jumped.
        waited: how long the manager has run and waited for the clock.
    """

    trusted_at: int
    shown_at: int
    since: int
    waited: int = 0


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A change of the wall clock that no passing of time explains.

    Attributes:
        began, ended: what the clock showed after the jump before and just before this one. Rows
            that were written between them have times of that clock.
        by: microseconds; negative: back.
        at_start: found at a start. The manager may just have been off for so long.
    """

    began: int
    ended: int
    by: int
    at_start: bool = False


def stored_clock(tx: Transaction) -> ClockRow | None:
    """None before the first start."""
    row = tx.execute(_SQL["stored_clock"]).fetchone()
    return ClockRow(*row) if row else None


def locked_clock(tx: Transaction) -> ClockRow | None:
    """The same, which no other manager replaces before the end of the transaction."""
    row = tx.execute(_SQL["locked_clock"]).fetchone()
    return ClockRow(*row) if row else None


def store_clock(tx: Transaction, row: ClockRow) -> None:
    """Replaces the stored time."""
    tx.execute(_SQL["store_clock"], asdict(row))


def record_jump(tx: Transaction, jump: ClockJump, smallest: int) -> None:
    """Stores by how much the times of earlier rows are wrong, and moves delivery timeouts,
    pauses and holds.

    Args:
        smallest: microseconds. A smaller error is forgotten.
    """
    tx.execute(_SQL["move_errors"], {"by": jump.by})
    tx.execute(_SQL["add_error"], asdict(jump))
    tx.execute(_SQL["remove_small_errors"], {"smallest": smallest})
    if not jump.at_start:
        tx.execute(_SQL["move_deadlines"], {"by": jump.by})
        tx.execute(_SQL["move_deadlines_of_sent"], {"by": jump.by})
        tx.execute(_SQL["move_pauses"], {"by": jump.by})
        rollouts.move_deadlines(tx, jump.by)


def forget_jumps_at_start(tx: Transaction) -> None:
    """Forgets the jumps that were found at starts: the manager was off for so long."""
    tx.execute(_SQL["forget_jumps_at_start"])


def remove_old_errors(tx: Transaction, before: int) -> None:
    """Forgets errors that concern only what is older than an instant, in microseconds."""
    tx.execute(_SQL["remove_old_errors"], {"before": before})
