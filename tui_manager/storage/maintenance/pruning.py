"""Removes what is too old: ended tasks with all that belongs to them, due times of schedules, and
join tokens.

The audit stays. The rows of hosts stay too, also those of rejected and removed hosts, because only
such a row says that a key must be refused. Join tokens limit the number of these rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("pruning.sql")
TASKS = 500  # that one transaction marks, at most
ROWS = 200  # that one transaction removes, at most
BYTES = 4 << 20  # of output and contents in them
_DAY = 86_400_000_000  # microseconds
_DAYS_AHEAD = 7  # for which output has parts
_DAYS_KEPT = 7  # that a part waits for the last of its tasks
_LARGE = (("pieces", "remove_pieces"), ("contents", "remove_contents"))
_OF_ROLLOUTS = ("remove_rollout_hosts", "remove_rollout_batches")


def mark(tx: Transaction, before: int, now: int) -> int:
    """Marks tasks that ended before an instant as pruned, the oldest first; returns how many.

    Args:
        before, now: microseconds since 1970 UTC.
    """
    values = {"before": before, "now": now, "tasks": TASKS}
    return tx.execute(_SQL["mark"], values).rowcount


def count_old(tx: Transaction, before: int) -> int:
    """How many tasks `mark` would mark, in as many transactions as it takes."""
    count: int = tx.execute(_SQL["count_old"], {"before": before}).fetchone()[0]
    return count


def marked(tx: Transaction) -> set[int]:
    """Marked tasks, which still have rows."""
    return {row[0] for row in tx.execute(_SQL["all_marked"])}


def clear(tx: Transaction) -> bool:
    """Removes some rows of marked tasks; False: no marked task is left."""
    budget = _Budget(ROWS, BYTES)
    with _not_overwritten(tx):
        while budget.left:
            row = tx.execute(_SQL["marked"]).fetchone()
            if row is None:
                return False
            _clear_task(tx, row["id"], budget)
    return True


@dataclass(slots=True)
class _Budget:
    """How much a transaction may still remove."""

    rows: int
    bytes: int

    @property
    def left(self) -> bool:
        return self.rows > 0 and self.bytes > 0


def _clear_task(tx: Transaction, task_id: int, budget: _Budget) -> None:
    """Removes as many rows of a task as the budget allows; the rows that others refer to last."""
    if any(_remove_large(tx, task_id, budget, *queries) for queries in _LARGE):
        return
    for query in ("remove_command_hosts", "remove_commands", *_OF_ROLLOUTS):
        values = {"task_id": task_id, "rows": budget.rows}
        removed = tx.execute(_SQL[query], values).rowcount
        budget.rows -= removed
        if not budget.left:
            return
    tx.execute(_SQL["remove_task"], {"task_id": task_id})
    budget.rows -= 1


def _remove_large(tx: Transaction, task_id: int, budget: _Budget, find: str, remove: str) -> bool:
    """Removes output, or contents of commands; False: there is none."""
    last = None
    for row in tx.execute(_SQL[find], {"task_id": task_id, "rows": budget.rows}).fetchall():
        last = row["id"]
        budget.rows -= 1
        budget.bytes -= row["size"]
        if not budget.left:
            break
    if last is None:
        return False
    tx.execute(_SQL[remove], {"task_id": task_id, "last": last})
    return True


@contextmanager
def _not_overwritten(tx: Transaction) -> Iterator[None]:
    """Removed rows are not overwritten with zeros. Secrets were erased when their task ended, and
    overwriting output would cost as much as storing it."""
    tx.execute(_SQL["keep_removed_bytes"]).close()
    try:
        yield
    except BaseException:
        with suppress(Exception):  # PostgreSQL takes no statement after one that has failed
            tx.execute(_SQL["overwrite_removed_bytes"]).close()
        raise
    tx.execute(_SQL["overwrite_removed_bytes"]).close()


def remove_schedule_runs(tx: Transaction, before: int) -> int:
    """Removes what became of due times before an instant, but not the newest of a schedule; how
    many rows."""
    return tx.execute(_SQL["remove_schedule_runs"], {"before": before, "rows": ROWS}).rowcount


def remove_tokens(tx: Transaction, before: int) -> int:
    """Removes join tokens that ended before an instant and that no host has used; how many."""
    return tx.execute(_SQL["remove_tokens"], {"before": before, "rows": ROWS}).rowcount


def make_output_parts(tx: Transaction, now: int) -> None:
    """On PostgreSQL, output is in one part a day; makes those of this day and of the next ones."""
    tx.execute(_SQL["make_output_parts"], {"now": now, "days": _DAYS_AHEAD})


def drop_output_parts(tx: Transaction, before: int) -> None:
    """On PostgreSQL, drops the parts of days before an instant in which all output is of pruned
    tasks. The next call drops those that another program reads now."""
    tx.execute(_SQL["drop_output_parts"], {"before": before})


def remove_pruned_output(tx: Transaction, before: int) -> int:
    """On PostgreSQL, removes some output of pruned tasks from parts that other tasks keep long
    after the others; returns how many rows."""
    values = {"before": max(0, before - _DAYS_KEPT * _DAY), "rows": ROWS}
    removed: int = tx.execute(_SQL["remove_pruned_output"], values).fetchone()["removed"]
    return removed
