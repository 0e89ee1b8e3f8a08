"""A database that runs each unit of work twice, as it may happen on PostgreSQL: after a deadlock,
after a lost connection, and when another unit of the same transaction has raised.

What the first run has stored is undone, and its result is thrown away. So a unit must not change
anything outside the database that its second run does not change in the same way. On SQLite only:
PostgreSQL does not undo the numbers that an identity column has given.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.metric_counters import recording
from tui_manager.storage.engine.transaction import Transaction

T = TypeVar("T")
RUNS = 2  # of each unit
_written = 0  # units of all managers of this process


def units_written() -> int:
    """How many units of work have ended in this process: between two equal numbers, no manager has
    changed its database."""
    return _written


class RepeatingDatabase(Database):
    """Runs each unit of work `RUNS` times."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine, database._writer)

    async def write(self, work: Callable[[Transaction], T], *, early: bool = False) -> T:
        """See Database."""
        try:
            return await super().write(lambda tx: _run_twice(tx, work), early=early)
        finally:
            _count_unit()

    async def write_aside(self, work: Callable[[Transaction], T]) -> T:
        """See Database."""
        try:
            return await super().write_aside(work)
        finally:
            _count_unit()


def _count_unit() -> None:
    global _written
    _written += 1


def _run_twice(tx: Transaction, work: Callable[[Transaction], T]) -> T:
    if RUNS == 1 or not isinstance(tx, sqlite3.Connection):
        return work(tx)
    tx.execute("SAVEPOINT first_run").close()
    with contextlib.suppress(Exception), recording():  # the second run raises and counts it too
        work(tx)
    tx.execute("ROLLBACK TO SAVEPOINT first_run").close()
    tx.execute("RELEASE SAVEPOINT first_run").close()
    return work(tx)
