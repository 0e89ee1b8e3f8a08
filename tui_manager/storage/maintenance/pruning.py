"""Removes what is too old: ended tasks with all that belongs to them, and join tokens.

The audit stays. Rows of hosts stay too: a key that was turned away is known by its row alone, and
must be turned away for ever; there are no more of them than join tokens allowed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.queries import load

_SQL = load("pruning.sql")
TASKS = 500  # that one transaction marks, at most
ROWS = 200  # that one transaction removes, at most
BYTES = 4 << 20  # of output in them


def mark(tx: Transaction, before: int, now: int) -> int:
    """Lets tasks that ended before an instant be gone, the oldest first; returns how many.

    Args:
        before, now: microseconds since 1970 UTC.
    """
    values = {"before": before, "now": now, "tasks": TASKS}
    return tx.execute(_SQL["mark"], values).rowcount


def count_old(tx: Transaction, before: int) -> int:
    """How many tasks `mark` would let be gone, in as many transactions as it takes."""
    count: int = tx.execute(_SQL["count_old"], {"before": before}).fetchone()[0]
    return count


def marked(tx: Transaction) -> set[int]:
    """Tasks that are gone and have left something."""
    return {row[0] for row in tx.execute(_SQL["all_marked"])}


def clear(tx: Transaction) -> bool:
    """Removes some of what marked tasks have left; False when nothing is left of any."""
    room = _Room(ROWS, BYTES)
    with _not_overwritten(tx):
        while room.some:
            row = tx.execute(_SQL["marked"]).fetchone()
            if row is None:
                return False
            _clear_task(tx, row["id"], room)
    return True


@dataclass(slots=True)
class _Room:
    """What a transaction may still remove."""

    rows: int
    bytes: int

    @property
    def some(self) -> bool:
        return self.rows > 0 and self.bytes > 0


def _clear_task(tx: Transaction, task_id: int, room: _Room) -> None:
    """Removes what of a task there is room for; what others refer to comes last."""
    if _remove_pieces(tx, task_id, room):
        return
    for query in ("remove_command_hosts", "remove_commands"):
        values = {"task_id": task_id, "rows": room.rows}
        removed = tx.execute(_SQL[query], values).rowcount
        room.rows -= removed
        if not room.some:
            return
    tx.execute(_SQL["remove_task"], {"task_id": task_id})
    room.rows -= 1


def _remove_pieces(tx: Transaction, task_id: int, room: _Room) -> bool:
    """Removes output; False when there is none."""
    last = None
    for row in tx.execute(_SQL["pieces"], {"task_id": task_id, "rows": room.rows}).fetchall():
        last = row["id"]
        room.rows -= 1
        room.bytes -= row["size"]
        if not room.some:
            break
    if last is None:
        return False
    tx.execute(_SQL["remove_pieces"], {"task_id": task_id, "last": last})
    return True


@contextmanager
def _not_overwritten(tx: Transaction) -> Iterator[None]:
    """What is removed need not be overwritten: secrets were erased when their task ended, and to
    write zeros over output would cost as much as to store it."""
    tx.execute("PRAGMA secure_delete = FAST").close()
    try:
        yield
    finally:
        tx.execute("PRAGMA secure_delete = ON").close()


def remove_tokens(tx: Transaction, before: int) -> int:
    """Removes join tokens that ended before an instant and that no host speaks of; how many."""
    return tx.execute(_SQL["remove_tokens"], {"before": before, "rows": ROWS}).rowcount
