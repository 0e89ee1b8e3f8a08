"""The one writer: group commit. What waits is written in one transaction, and every caller is told
when its own part is durable, or why it is not."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.connection import (
    BUSY,
    StorageConnection,
    Transaction,
    explain,
    is_storage_failure,
)
from tui_manager.storage.engine.write_ahead_log import FullLogError, Log

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH = 500  # units of work in one transaction
QUEUE = 10_000  # units that may wait; beyond, callers wait for their place
_AHEAD = 1  # transactions that run while another is handed over
LOCKED = 500  # milliseconds that SQLite waits for a lock; who stops does not wait longer


@dataclass(slots=True)
class _Unit:
    work: Callable[[Transaction], Any]
    done: "asyncio.Future[Any]"
    queued_at: float
    ahead: bool


class Writer:
    """Runs units of work one after another on the writing connection."""

    def __init__(
        self,
        connection: StorageConnection,
        path: Path,
        written: Log,
        told: Callable[[float, str], None] = lambda _seconds, _error: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            written: what each transaction makes longer, and somebody else shorter.
            told: called for each transaction with its seconds, queueing included, and with why the
                database could not be written, empty when it could.
            check: called before each transaction, in the connection's thread. Raises StorageError
                when nothing may be written now.
        """
        self._connection = connection
        self._path = path
        self._log = written
        self._told = told
        self._check = check
        self._queue: asyncio.Queue[_Unit] = asyncio.Queue(QUEUE)
        self._stops = False

    @property
    def waiting(self) -> int:
        """Units of work that are not yet in a transaction."""
        return self._queue.qsize()

    async def write(self, work: Callable[[Transaction], T], *, ahead: bool = False) -> T:
        """Runs `work` whole or not at all, and returns what it returned once that is durable.

        Args:
            ahead: of a work that gathers, when it begins, what has come until then: it is handed to
                the connection's thread while the transaction before it still runs, so that the
                thread goes on without a word of the loop.

        Raises:
            StorageError: the database cannot be written now; nothing of `work` was kept.
            Exception: what `work` raised; nothing of it was kept.
        """
        unit = _Unit(work, asyncio.get_running_loop().create_future(), time.monotonic(), ahead)
        await self._queue.put(unit)
        result: T = await unit.done
        return result

    async def run(self) -> None:
        """Writes until cancelled; what is being written then is still brought to its end."""
        begun: set[asyncio.Task[None]] = set()
        try:
            while True:
                first = await self._queue.get()
                try:
                    begun = await _until(begun, _AHEAD if first.ahead else 0)
                finally:  # it has left the queue, and is written also when this is cancelled
                    begun.add(asyncio.create_task(self._write([first, *self._more()])))
        finally:
            self.stop_waiting()
            await _until(begun, 0)

    def _more(self) -> list[_Unit]:
        """What waits beside the first of a transaction."""
        return [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), BATCH - 1))]

    def stop_waiting(self) -> None:
        """From now on what finds the database locked fails soon: the manager stops."""
        self._stops = True

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
            said = isinstance(raised, StorageError)
            error = str(raised if said else explain(raised, self._path))
            outcomes = [_Raised(StorageError(error)) for _ in units]
        self._told(time.monotonic() - units[0].queued_at, error)
        for unit, outcome in zip(units, outcomes, strict=True):
            self._tell(unit, outcome)

    async def _run(self, works: list[Callable[[Transaction], Any]]) -> list[Any]:
        """Begins again and again for `BUSY` while another program holds the lock, or reads for so
        long that the log is full, once when this one stops."""
        give_up_at = time.monotonic() + BUSY / 1000
        while True:
            try:
                await self._log.wait_for_room(LOCKED / 1000)
                outcomes = await self._connection.run(lambda tx: self._transact(tx, works))
            except (_LockedError, FullLogError) as hindered:
                if self._stops or time.monotonic() >= give_up_at:
                    raise getattr(hindered, "error", hindered) from None
            else:
                self._log.written()
                return outcomes

    def _transact(self, tx: Transaction, works: list[Callable[[Transaction], Any]]) -> list[Any]:
        self._check()
        return _run_together(tx, works)

    def _storage_error(self, outcomes: list[Any]) -> str:
        """Why a part of a transaction could not be written; empty when all could."""
        for outcome in outcomes:
            if isinstance(outcome, _Raised) and is_storage_failure(outcome.error):
                return str(explain(outcome.error, self._path))
        return ""

    def _tell(self, unit: _Unit, outcome: Any) -> None:
        if unit.done.done():  # the caller was cancelled; its work is done all the same
            return
        if not isinstance(outcome, _Raised):
            unit.done.set_result(outcome)
        elif is_storage_failure(outcome.error):
            unit.done.set_exception(explain(outcome.error, self._path))
        else:
            unit.done.set_exception(outcome.error)


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class _LockedError(Exception):
    """Another program holds the lock; nothing was begun."""

    def __init__(self, error: sqlite3.OperationalError) -> None:
        super().__init__(str(error))
        self.error = error


async def _until(begun: set[asyncio.Task[None]], few: int) -> set[asyncio.Task[None]]:
    """Waits until at most `few` of the transactions still run, and returns those."""
    while len(begun) > few:
        done, begun = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    return begun


def _run_together(tx: Transaction, works: list[Callable[[Transaction], Any]]) -> list[Any]:
    """Runs all in one transaction; one that raises is undone alone and its outcome is the error."""
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
    """The one of a transaction: what it has changed need not be kept apart to be undone."""
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
            raise  # SQLite itself undid the whole (a full disk, say)
        tx.execute("ROLLBACK TO unit")
        outcome = _Raised(error)
    tx.execute("RELEASE unit")
    return outcome
