"""Runs units of work in one transaction. A unit that raises is undone alone."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from tui_manager.storage.engine.engine import FailedUnit
from tui_manager.storage.engine.postgresql import errors
from tui_manager.storage.engine.postgresql.postgresql_transaction import (
    PostgresqlTransaction,
    begin,
)
from tui_manager.storage.engine.postgresql.writing.lease import Lease
from tui_manager.storage.engine.transaction import Work

# Seconds in which a transaction begins units. Others may wait for its locks, for LOCK_WAIT at most.
RUN_FOR = 0.2


def run_units(
    connection: "psycopg.Connection[Any]", works: Sequence[Work], lease: Lease | None = None
) -> list[Any]:
    """Runs the first of them in one transaction: at least one, and then as many as begin within
    `RUN_FOR`. The caller commits. If the only unit has raised, there is no transaction.

    A savepoint takes two round trips. A unit seldom raises, so all run without savepoints first,
    and again with them once one has raised.

    Args:
        lease: of the manager; None: no other manager uses the database.

    Returns:
        What each of those units has returned, or `FailedUnit`.

    Raises:
        psycopg.Error: the transaction has failed as a whole.
    """
    tx = begin(connection, lease)
    try:
        outcomes = _run_first(works, lambda work: work(tx))
        tx.finish()
        return outcomes
    except Exception as error:
        if connection.closed or errors.is_of_server(error):
            raise
        connection.rollback()
        if len(works) == 1 and not errors.is_duplicate(error):
            return [FailedUnit(error)]
    tx = begin(connection, lease)
    try:
        outcomes = _run_first(works, lambda work: _run_alone(tx, work, lease))
        tx.finish()
    except Exception as error:
        if not connection.closed and not errors.is_of_server(error):
            connection.rollback()
        raise
    return outcomes


def _run_first(works: Sequence[Work], run: Callable[[Work], Any]) -> list[Any]:
    ends = time.monotonic() + RUN_FOR
    outcomes: list[Any] = []
    for work in works:
        if outcomes and time.monotonic() >= ends:
            break
        outcomes.append(run(work))
    return outcomes


def _run_alone(tx: PostgresqlTransaction, work: Work, lease: Lease | None) -> Any:
    """Runs one unit, and again if another manager has just stored what it was to store: now it sees
    that."""
    outcome = _run_one(tx, work, lease)
    if isinstance(outcome, FailedUnit) and errors.is_duplicate(outcome.error):
        outcome = _run_one(tx, work, lease)
    return outcome


def _run_one(whole: PostgresqlTransaction, work: Work, lease: Lease | None) -> Any:
    tx = PostgresqlTransaction(whole.connection, lease, will_finish=True)
    tx.execute("SAVEPOINT unit")
    try:
        outcome = work(tx)
    except Exception as error:
        if tx.connection.closed or errors.is_of_server(error):
            raise
        tx.execute("ROLLBACK TO SAVEPOINT unit")
        outcome = FailedUnit(error)
    else:
        whole.take_last(tx)
    tx.execute("RELEASE SAVEPOINT unit")
    return outcome
