"""The one writer, with group commit: the units of work that wait are written in one transaction,
and each caller learns when its own unit is durable, or why it is not."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.aiosqlite_adapter import StorageConnection
from tui_manager.storage.engine.connection import (
    LOCK_TIMEOUT,
    Transaction,
    is_storage_failure,
    to_storage_error,
)
from tui_manager.storage.engine.write_ahead_log import FullLogError, WriteAheadLog

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH = 500  # units of work in one transaction
QUEUE = 10_000  # units that may wait; if it is full, callers wait for a place
_RUNNING_MAX = 1  # transactions that may still run when an early one is handed over
LOCK_WAIT = 500  # milliseconds that SQLite waits for a lock at one attempt


@dataclass(slots=True)
class _Unit:
    work: Callable[[Transaction], Any]
    done: "asyncio.Future[Any]"
    queued_at: float
    early: bool


class Writer:
    """Runs units of work one after another on the writing connection."""

    def __init__(
        self,
        connection: StorageConnection,
        path: Path,
        write_ahead_log: WriteAheadLog,
        on_transaction: Callable[[float, str], None] = lambda _seconds, _error: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            write_ahead_log: is told of each transaction, and may make the next one wait.
            on_transaction: called for each transaction with its seconds, from the queue on, and
                with the reason why the database could not be written; empty: it could.
            check: called before each transaction, in the connection's thread. Raises StorageError
                if nothing may be written now.
        """
        self._connection = connection
        self._path = path
        self._write_ahead_log = write_ahead_log
        self._on_transaction = on_transaction
        self._check = check
        self._queue: asyncio.Queue[_Unit] = asyncio.Queue(QUEUE)
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Units of work that are not yet in a transaction."""
        return self._queue.qsize()

    async def write(self, work: Callable[[Transaction], T], *, early: bool = False) -> T:
        """Runs `work` whole or not at all, and returns what it returned once that is durable.

        Args:
            early: the unit is handed to the connection's thread while the transaction before it
                still runs, so that the thread never waits for the loop. For work that gathers its
                input only when it begins.

        Raises:
            StorageError: the database cannot be written now; nothing of `work` was kept.
            Exception: what `work` raised; nothing of it was kept.
        """
        unit = _Unit(work, asyncio.get_running_loop().create_future(), time.monotonic(), early)
        await self._queue.put(unit)
        result: T = await unit.done
        return result

    async def run(self) -> None:
        """Writes until cancelled. A transaction that runs then is still finished."""
        begun: set[asyncio.Task[None]] = set()
        try:
            while True:
                first = await self._queue.get()
                try:
                    begun = await _wait_for_all_but(begun, _RUNNING_MAX if first.early else 0)
                finally:  # it has left the queue, so it is written also if this is cancelled
                    begun.add(asyncio.create_task(self._write([first, *self._take_more()])))
        finally:
            self.stop_retrying()
            await _wait_for_all_but(begun, 0)

    def _take_more(self) -> list[_Unit]:
        """The units that are written together with the first."""
        return [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), BATCH - 1))]

    def stop_retrying(self) -> None:
        """From now on a unit fails soon if the database is locked: the manager stops."""
        self._stopping = True

    async def drain(self) -> None:
        """Writes what still waits after `run` has ended."""
        while not self._queue.empty():
            await self._write([self._queue.get_nowait() for _ in range(self._queue.qsize())])

    async def _write(self, units: list[_Unit]) -> None:
        works = [unit.work for unit in units]
        outcomes: list[Any]
        error = ""
        try:
            outcomes = await self._run(works)
            error = self._storage_error(outcomes)
        except Exception as raised:
            if not isinstance(raised, sqlite3.Error | StorageError):
                log.exception("a transaction failed", extra={"units": len(units)})
            known = isinstance(raised, StorageError)
            error = str(raised if known else to_storage_error(raised, self._path))
            outcomes = [_Raised(StorageError(error)) for _ in units]
        self._on_transaction(time.monotonic() - units[0].queued_at, error)
        for unit, outcome in zip(units, outcomes, strict=True):
            _set_outcome(unit, outcome, self._path)

    async def _run(self, works: list[Callable[[Transaction], Any]]) -> list[Any]:
        """Retries for `LOCK_TIMEOUT` while another program holds the lock, or has been reading for
        so long that the log is full; tries once if the manager stops."""
        deadline = time.monotonic() + LOCK_TIMEOUT / 1000
        while True:
            try:
                await self._write_ahead_log.wait_for_room(LOCK_WAIT / 1000)
                outcomes = await self._connection.run(lambda tx: self._transact(tx, works))
            except (_LockedError, FullLogError) as obstacle:
                if self._stopping or time.monotonic() >= deadline:
                    raise getattr(obstacle, "error", obstacle) from None
            else:
                self._write_ahead_log.written()
                return outcomes

    def _transact(self, tx: Transaction, works: list[Callable[[Transaction], Any]]) -> list[Any]:
        self._check()
        return _run_together(tx, works)

    def _storage_error(self, outcomes: list[Any]) -> str:
        """Why a unit of a transaction could not be written; empty: all could."""
        for outcome in outcomes:
            if isinstance(outcome, _Raised) and is_storage_failure(outcome.error):
                return str(to_storage_error(outcome.error, self._path))
        return ""


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class _LockedError(Exception):
    """Another program holds the lock; nothing was begun."""

    def __init__(self, error: sqlite3.OperationalError) -> None:
        super().__init__(str(error))
        self.error = error


def _set_outcome(unit: _Unit, outcome: Any, path: Path) -> None:
    if unit.done.done():  # the caller was cancelled; its unit was written all the same
        return
    if not isinstance(outcome, _Raised):
        unit.done.set_result(outcome)
    elif is_storage_failure(outcome.error):
        unit.done.set_exception(to_storage_error(outcome.error, path))
    else:
        unit.done.set_exception(outcome.error)


async def _wait_for_all_but(begun: set[asyncio.Task[None]], count: int) -> set[asyncio.Task[None]]:
    """Waits until at most `count` of the transactions still run, and returns those."""
    while len(begun) > count:
        done, begun = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    return begun


def _run_together(tx: Transaction, works: list[Callable[[Transaction], Any]]) -> list[Any]:
    """Runs all in one transaction. A unit that raises is undone alone; its outcome is the error."""
    try:
        tx.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise _LockedError(error) from error
        raise
    try:
        outcomes = _run_alone(tx, *works) if len(works) == 1 else [_run_one(tx, w) for w in works]
        if tx.in_transaction:
            tx.execute("COMMIT")
    except BaseException:
        if tx.in_transaction:
            tx.execute("ROLLBACK")
        raise
    return outcomes


def _run_alone(tx: Transaction, work: Callable[[Transaction], Any]) -> list[Any]:
    """Runs the only unit of a transaction: if it raises, the transaction is undone, not a
    savepoint."""
    try:
        return [work(tx)]
    except Exception as error:
        if tx.in_transaction:
            tx.execute("ROLLBACK")
        return [_Raised(error)]


def _run_one(tx: Transaction, work: Callable[[Transaction], Any]) -> Any:
    tx.execute("SAVEPOINT unit")
    try:
        outcome = work(tx)
    except Exception as error:
        if is_storage_failure(error) and not tx.in_transaction:
            raise  # SQLite itself has undone the transaction, on a full disk for example
        tx.execute("ROLLBACK TO unit")
        outcome = _Raised(error)
    tx.execute("RELEASE unit")
    return outcome
