"""The connection that writes. A transaction has several units of work. It is repeated if it
conflicts with another transaction. If the connection is lost during a commit, the next connection
finds out whether the transaction was committed."""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.postgresql import errors, gateway_lock
from tui_manager.storage.engine.postgresql.connection import (
    ConnectionSocket,
    PostgresqlAddress,
    TimedConnection,
    connect,
)
from tui_manager.storage.engine.postgresql.writing.counted_commits import (
    CountedCommits,
    DatabaseChangedError,
)
from tui_manager.storage.engine.postgresql.writing.lease import Lease
from tui_manager.storage.engine.postgresql.writing.units_of_work import run_units
from tui_manager.storage.engine.transaction import Work

log = logging.getLogger(__name__)
TRY_FOR = 10.0  # seconds that a transaction is tried while the server is away or locked
_TRY_AGAIN_FOR = 2.0  # the same if it has been away before: operators wait for the answer
_PAUSES = (0.05, 1.0)  # seconds between two attempts, the first and the longest
_REPEATS = 10  # without a pause, of a transaction that was in the way of another one
_SLOW = 10.0  # seconds without an answer, after which the operator is told
_CANCEL = 2.0  # seconds for asking the server to end a statement
# What is written is found by an index. A statement that is planned while a table is new and small
# would go on reading the whole table until its statistics are renewed.
FIND_BY_INDEX = "SET enable_seqscan = off"


@dataclass(slots=True)
class _CommitBatch:
    """Units of work that are to be committed together.

    Attributes:
        deadline: until when it is tried; a time of `time.monotonic`.
        number: with which it was last tried to commit them; 0: it was not tried.
        repeats: without a pause.
        was_cut: whether a connection was ended because the server did not answer.
    """

    works: Sequence[Work]
    deadline: float
    outcomes: list[Any] = field(default_factory=list)
    number: int = 0
    repeats: int = 0
    was_cut: bool = False


class WritingConnection:
    """Writes; used by one thread at a time. `problem` and `busy` may be read, and `cancel`, `cut`
    and `cut_if_stuck` called, by any thread.

    Attributes:
        reconnects: how often the connection was lost, and is there again; read by any thread.
        conflicts: how often another transaction was in the way of one; read by any thread.
    """

    def __init__(
        self, address: PostgresqlAddress, connection: TimedConnection, lease: Lease
    ) -> None:
        """
        Args:
            connection: has locked the number of the manager.
            lease: of the manager.

        Raises:
            psycopg.Error: the connection is lost, or nothing can be written.
        """
        self._address = address
        self._lease = lease
        self._problem = ""
        self._final = ""  # why nothing is written any more
        self._busy_since: float | None = None
        self._was_cut = False
        self.reconnects = 0
        self.conflicts = 0
        self._socket = ConnectionSocket(connection)
        try:
            self._use(connection)
            self._commits = CountedCommits(connection, address.gateway)
        except BaseException:
            self._socket.close()
            raise

    @property
    def problem(self) -> str:
        """Why nothing may be written now, as a sentence for the operator; empty: it may."""
        waited = self.busy
        if self._problem or waited <= _SLOW:
            return self._problem
        return (
            f"The {self._address.name} has not confirmed a transaction for {waited:.0f} s: its "
            "disk or its standby is slow, or it is out of reach."
        )

    @property
    def committed(self) -> int:
        """The number of the newest transaction that the server has confirmed."""
        return self._commits.durable

    @property
    def busy(self) -> float:
        """For how many seconds an answer has been waited for; 0: for none."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def transact(self, works: Sequence[Work], stopping: Callable[[], bool]) -> list[Any]:
        """Runs units of work in one transaction; see Engine.

        A unit may run several times: after a deadlock, after a wait for a lock of another program,
        and on a new connection if nothing was committed. While it is not known whether a
        transaction was committed, this waits for the server: neither answer would be certain.
        """
        try_for = _TRY_AGAIN_FOR if self._problem else TRY_FOR
        batch = _CommitBatch(works, time.monotonic() + try_for)
        pause, longest = _PAUSES
        while True:
            try:
                outcomes = self._attempt(batch)
                break
            except psycopg.Error as error:
                unknown = self._handle(error, batch)
                if self._is_repeated_at_once(error, batch):
                    continue
                may_pass = self._may_pass(error) and time.monotonic() + pause < batch.deadline
                if stopping() or not (unknown or may_pass):
                    if not unknown:
                        raise
                    reason = errors.to_storage_error(error, self._address.name)
                    text = f"It is not known whether the change was stored. {reason}"
                    raise StorageError(text) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, longest)
        self._problem = ""
        return outcomes

    def cancel(self) -> None:
        """Asks the server to end the statement that runs."""
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL)

    def cut(self) -> None:
        """Ends the connection although an answer is waited for. Nothing is written any more."""
        self._final = f"The {self._address.name} does not answer, and the manager stops."
        self._socket.cut()

    def cut_if_stuck(self, limit: float) -> None:
        """Ends the connection if a statement was not answered for so many seconds; another server
        of the URL may answer. A COMMIT may wait for its standby for as long as it likes."""
        if self._socket.waited >= limit and not self._commits.committing:
            self._was_cut = True
            self._socket.cut()

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
        self._socket.close()

    def _attempt(self, batch: _CommitBatch) -> list[Any]:
        with self._is_busy():
            stored = self._confirm_sent()
            if 0 < batch.number <= stored:
                return batch.outcomes  # they had been committed
            batch.outcomes = run_units(self._connection, batch.works, self._lease)
            if self._connection.info.transaction_status != TransactionStatus.IDLE:
                batch.number = self._commits.sent + 1
                self._commits.commit()
            return batch.outcomes

    @contextlib.contextmanager
    def _is_busy(self) -> Iterator[None]:
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def _handle(self, error: psycopg.Error, batch: _CommitBatch) -> bool:
        """Ends the transaction that has failed; whether it may have been committed."""
        with self._is_busy(), contextlib.suppress(psycopg.OperationalError):
            if not self._connection.closed:
                self._connection.rollback()
        if self._was_cut and not batch.was_cut:
            batch.was_cut, batch.deadline = True, time.monotonic() + TRY_FOR
        self._was_cut = False
        self.conflicts += errors.is_repeated(error) or errors.is_waited_for(error)
        unknown = self._commits.durable < batch.number <= self._commits.sent
        if self._connection.closed or unknown:
            problem = str(errors.to_storage_error(error, self._address.name))
            if not self._problem:
                log.error("the database is out of reach", extra={"error": problem})
            self._problem = problem
        return unknown

    def _is_repeated_at_once(self, error: psycopg.Error, batch: _CommitBatch) -> bool:
        batch.repeats += 1
        return errors.is_repeated(error) and batch.repeats <= _REPEATS

    def _may_pass(self, error: psycopg.Error) -> bool:
        lost = self._connection.closed
        return lost or errors.is_repeated(error) or errors.is_waited_for(error)

    def _confirm_sent(self) -> int:
        """Makes sure that there is a connection, and that all is known about what was sent. Returns
        the number of the newest transaction that the database has.

        Raises:
            psycopg.Error: the server cannot be reached now, or a session of this manager or of
                another one holds the lock.
            StorageError: the database is not the one that it was.
        """
        if self._final:
            raise StorageError(self._final)
        lost = self._connection.closed
        if not lost and self._commits.sent == self._commits.durable:
            return self._commits.durable
        if lost:
            self._reconnect()
        try:
            stored = self._commits.confirm_sent()
        except psycopg.Error:
            self._connection.close()  # else it would not be looked at again
            raise
        except DatabaseChangedError as error:
            self._problem = self._final = (
                f"The {self._address.name} {error}. Nothing is written to it any more. Stop this "
                "manager and start it again: then its agents say what they hold."
            )
            self._connection.close()
            log.critical("the database has changed", extra={"error": self._final})
            raise StorageError(self._final) from error
        if lost:
            self.reconnects += 1
            log.info("the database is back", extra={"database": self._address.name})
        return stored

    def _reconnect(self) -> None:
        connection = connect(self._address, self._hold)
        try:
            if not gateway_lock.try_to_lock(connection, self._address.gateway):
                who = gateway_lock.holder(connection, self._address.gateway)
                gateway_lock.end_session(connection, self._session)
                raise psycopg.OperationalError(f"It is locked by another manager: {who}.")
            self._connection.close()
            self._use(connection)
            self._commits.use(connection)
        except BaseException:
            connection.close()
            raise

    def _hold(self, socket: ConnectionSocket) -> None:
        self._socket.close()
        self._socket = socket

    def _use(self, connection: TimedConnection) -> None:
        connection.execute(FIND_BY_INDEX)
        self._session = gateway_lock.session_of(connection)
        self._connection = connection
