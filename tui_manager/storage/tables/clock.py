"""What the manager knows of its wall clock: the time it stored last, and the jumps it noticed."""

from dataclasses import asdict, dataclass

from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.queries import load

_SQL = load("clock.sql")


@dataclass(frozen=True, slots=True)
class ClockRow:
    """The stored time. Instants and durations are microseconds.

    Attributes:
        trusted_at: the time, as far as the manager can tell.
        shown_at: what the clock showed then.
        since: from when on, by the same clock, it has not jumped.
        waited: how long the manager has run and waited for the clock.
    """

    trusted_at: int
    shown_at: int
    since: int
    waited: int = 0


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock shows something else than it did before.

    Attributes:
        began, ended: what the clock showed from one jump to the next; between them lies what was
            written meanwhile.
        by: microseconds; negative: back.
        at_start: noticed at a start; the manager may just have been off for so long.
    """

    began: int
    ended: int
    by: int
    at_start: bool = False


def stored(tx: Transaction) -> ClockRow | None:
    """None before the first start."""
    row = tx.execute(_SQL["stored"]).fetchone()
    return ClockRow(*row) if row else None


def store(tx: Transaction, row: ClockRow) -> None:
    """Replaces what is stored."""
    tx.execute(_SQL["store"], asdict(row))


def note_jump(tx: Transaction, jump: Jump, least: int) -> None:
    """What was written before is known to be off by so much, and ends of delivery timeouts move.

    Args:
        least: microseconds from which on it counts.
    """
    tx.execute(_SQL["move_errors"], {"by": jump.by})
    tx.execute(_SQL["add_error"], asdict(jump))
    tx.execute(_SQL["remove_mended"], {"jump": least})
    if not jump.at_start:
        tx.execute(_SQL["move_deadlines"], {"by": jump.by})
        tx.execute(_SQL["move_deadlines_of_sent"], {"by": jump.by})


def forget_start(tx: Transaction) -> None:
    """The time that went by before the start did go by."""
    tx.execute(_SQL["forget_start"])


def remove_old_errors(tx: Transaction, before: int) -> None:
    """Forgets errors that speak only of what is older than an instant, in microseconds."""
    tx.execute(_SQL["remove_old"], {"before": before})
