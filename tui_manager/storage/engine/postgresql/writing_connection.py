"""The connection that writes: transactions of several units of work, repeated when another one was
in the way, and never lost track of when the connection is.

Each transaction counts up a number in the database. If the connection is lost while a transaction
is being committed, the number says afterwards whether it was. A number that is lower than one that
was confirmed says that the database has gone back, for example to a standby that lacks the last
transactions. Then nothing is written any more: the manager and the agents know more than it does.
"""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.storage.engine.engine import Raised
from tui_manager.storage.engine.postgresql import errors
from tui_manager.storage.engine.postgresql.connection import PostgresqlAddress, connect
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.transaction import Work

log = logging.getLogger(__name__)
TRY_FOR = 10.0  # seconds that a transaction is tried while the server is away or locked
_PAUSES = (0.05, 1.0)  # seconds between two attempts, the first and the longest
_REPEATS = 10  # of a transaction that was in the way of another one
_SIZE_EVERY = 60.0  # seconds between two looks at the size of the database
_SLOW = 10.0  # seconds without an answer to a commit, after which the operator is told
_LOCK = "SELECT pg_try_advisory_lock(7443, hashtext(current_schema())) AS held"
_READ_NUMBER = "SELECT number FROM last_write WHERE gateway = 0"
# A timeout would end the wait for a standby, and the commit would look as if the standby had it.
_COUNT = (
    "UPDATE last_write SET number = :number WHERE gateway = 0 "
    "RETURNING set_config('statement_timeout', '0', true)"
)
_SIZE = "SELECT pg_database_size(current_database()) AS size"


class WritingConnection:
    """Writes; used by one thread at a time. `size` and `problem` may be read by any thread."""

    def __init__(self, address: PostgresqlAddress, connection: "psycopg.Connection[Any]") -> None:
        """
        Raises:
            AlreadyRunningError: another manager uses the database.
            psycopg.Error: the connection is lost.
        """
        self.size = 0
        self._address = address
        self._connection = connection
        self._problem = ""
        self._final = ""  # why nothing is written any more
        self._pending: int | None = None  # number of a transaction that may have been committed
        self._waits_since: float | None = None  # for the answer to a commit
        self._size_read = -_SIZE_EVERY
        if not self._lock():
            raise AlreadyRunningError(
                f"Another manager uses the {address.name}. End it, or name another database."
            )
        self._number = self._stored_number()  # of the newest transaction that was committed

    @property
    def problem(self) -> str:
        """Why nothing may be written now, as a sentence for the operator; empty: it may."""
        since = self._waits_since
        waited = 0.0 if since is None else time.monotonic() - since
        if not self._problem and waited > _SLOW:
            return (
                f"The {self._address.name} has not confirmed a transaction for {waited:.0f} s: "
                "its disk or its standby is slow, or it is out of reach."
            )
        return self._problem

    def transact(self, works: Sequence[Work], stopping: Callable[[], bool]) -> list[Any]:
        """Runs units of work in one transaction; see Engine.

        A unit may run several times: after a deadlock, after a wait for a lock of another program,
        and on a new connection if nothing was committed. While it is not known whether a
        transaction was committed, this waits for the server: neither answer would be certain.
        """
        deadline = time.monotonic() + TRY_FOR
        pause, longest = _PAUSES
        repeats = 0
        outcomes: list[Any] = []
        while True:
            try:
                if self._is_lost() and self._reconnect():
                    return outcomes  # they had been committed
                outcomes = self._run(works)
                self._commit()
            except psycopg.Error as error:
                self._undo()
                repeats += 1
                if errors.is_repeated(error) and repeats <= _REPEATS:
                    continue
                self._note(error)
                if not self._is_tried_again(error, stopping(), deadline - pause):
                    raise
            else:
                self._problem = ""
                return outcomes
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, longest)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _is_lost(self) -> bool:
        if self._final:
            raise StorageError(self._final)
        return self._connection.closed or self._pending is not None

    def _is_tried_again(self, error: psycopg.Error, stopping: bool, until: float) -> bool:
        if not (self._connection.closed or errors.is_waited_for(error)):
            return False
        return not stopping and (self._pending is not None or time.monotonic() < until)

    def _note(self, error: psycopg.Error) -> None:
        if errors.is_storage_failure(error):
            problem = str(errors.to_storage_error(error, self._address.name))
            if self._connection.closed and not self._problem:
                log.error("the database is out of reach", extra={"error": problem})
            self._problem = problem

    def _run(self, works: Sequence[Work]) -> list[Any]:
        """Runs all in one transaction, which is then still to be committed. A unit that raises is
        undone alone. That is rare, so savepoints are only made once it has happened."""
        tx = PostgresqlTransaction(self._connection)
        tx.execute("BEGIN")
        try:
            return [work(tx) for work in works]
        except psycopg.OperationalError:
            raise
        except Exception as error:
            self._connection.rollback()
            if len(works) == 1:
                return [Raised(error)]
        tx.execute("BEGIN")
        return [_run_one(tx, work) for work in works]

    def _commit(self) -> None:
        if self._connection.info.transaction_status == TransactionStatus.IDLE:
            return  # the only unit has raised, and was undone
        PostgresqlTransaction(self._connection).execute(_COUNT, {"number": self._number + 1})
        self._pending = self._number + 1
        self._waits_since = time.monotonic()
        try:
            self._connection.execute("COMMIT")
        finally:
            self._waits_since = None
        self._number, self._pending = self._number + 1, None
        if time.monotonic() - self._size_read > _SIZE_EVERY:
            self._read_size()

    def _read_size(self) -> None:
        self._size_read = time.monotonic()
        with contextlib.suppress(psycopg.Error):  # the next transaction meets it
            self.size = self._ask(_SIZE)["size"]

    def _undo(self) -> None:
        """The transaction has failed, unless the connection was lost while it was committed."""
        if not self._connection.closed:
            self._pending = None
            with contextlib.suppress(psycopg.OperationalError):
                self._connection.rollback()

    def _reconnect(self) -> bool:
        """Opens a new connection; whether the transaction that was not certain had been committed.

        Raises:
            psycopg.Error: the server cannot be reached, or has not noticed that the old connection
                has ended, on which a commit may still be under way.
            StorageError: the database is not the one that it was.
        """
        self._connection.close()
        self._connection = connect(self._address)
        if not self._lock():
            self._connection.close()
            raise psycopg.OperationalError("another connection of a manager is still open")
        stored = self._stored_number()
        pending, self._pending = self._pending, None
        if stored not in (self._number, pending):
            self._final = self._gone_back(stored)
            self._problem = self._final
            self._connection.close()
            log.critical("the database has changed", extra={"error": self._final})
            raise StorageError(self._final)
        log.info("the database is back", extra={"database": self._address.name})
        self._problem = ""
        committed = stored == pending
        self._number = stored
        return committed

    def _gone_back(self, stored: int) -> str:
        missing = self._number - stored
        what = (
            f"lacks the last {missing:,} transactions that it had confirmed, as after a failover"
            if missing > 0
            else "was written by another manager"
        )
        return (
            f"The {self._address.name} {what}. Nothing is written to it any more. Stop this "
            "manager and start it again: then its agents say what they hold."
        )

    def _lock(self) -> bool:
        """Locks the database for this manager, until the connection ends."""
        return bool(self._ask(_LOCK)["held"])

    def _stored_number(self) -> int:
        return int(self._ask(_READ_NUMBER)["number"])

    def _ask(self, query: str) -> Any:
        """The one row of an answer."""
        return PostgresqlTransaction(self._connection).execute(query).fetchone()


def _run_one(tx: PostgresqlTransaction, work: Work) -> Any:
    tx.execute("SAVEPOINT unit")
    try:
        outcome = work(tx)
    except psycopg.OperationalError:
        raise  # the server is in trouble, not the unit
    except Exception as error:
        tx.execute("ROLLBACK TO SAVEPOINT unit")
        outcome = Raised(error)
    tx.execute("RELEASE SAVEPOINT unit")
    return outcome
