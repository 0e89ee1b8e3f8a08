"""SQLite as the engine of the manager's database: one file, one writing connection, a few for
reading."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.engine import FailedUnit
from tui_manager.storage.engine.sqlite.aiosqlite_adapter import StorageConnection
from tui_manager.storage.engine.sqlite.connection import (
    LOCK_TIMEOUT,
    is_storage_failure,
    open_connection,
    to_storage_error,
)
from tui_manager.storage.engine.sqlite.database_file import DatabaseFiles
from tui_manager.storage.engine.sqlite.migrations import check_sqlite, check_version, migrate
from tui_manager.storage.engine.sqlite.write_ahead_log import FullLogError, WriteAheadLog
from tui_manager.storage.engine.transaction import Transaction, Work

T = TypeVar("T")
_READERS = 2
LOCK_WAIT = 500  # milliseconds that SQLite waits for a lock at one attempt


class SqliteEngine:
    """An open file; implements Engine."""

    place = ""
    new_message_link = None
    gateway = committed = answers = reconnects = 0
    epoch = None
    shared = False

    def __init__(
        self,
        path: Path,
        connection: StorageConnection,
        write_ahead_log: WriteAheadLog,
        readers: "asyncio.Queue[StorageConnection]",
        files: DatabaseFiles,
    ) -> None:
        """
        Args:
            connection: that writes.
            write_ahead_log: is told of each transaction, and may make the next one wait.
            files: must be in their places before each transaction.
        """
        self.write_ahead_log = write_ahead_log
        self._path = path
        self._connection = connection
        self._readers = readers
        self._files = files
        self._size = 0

    @property
    def folder(self) -> Path:
        """See Engine."""
        return self._path.parent

    @property
    def size(self) -> int:
        """See Engine. Of a file that cannot be found, its last size."""
        with contextlib.suppress(OSError):
            self._size = self._path.stat().st_size
        return self._size + self.write_ahead_log.size

    @property
    def log_size(self) -> int:
        """See Engine."""
        return self.write_ahead_log.size

    @property
    def problem(self) -> str:
        """See Engine and `DatabaseFiles`."""
        return self._files.problem

    def lead(self, epoch: int | None) -> None:
        """See Engine."""

    async def transact(self, works: Sequence[Work], stopping: Callable[[], bool]) -> list[Any]:
        """See Engine. Retries for `LOCK_TIMEOUT` while another program holds the lock, or has been
        reading for so long that the log is full; tries once if the manager stops."""
        deadline = time.monotonic() + LOCK_TIMEOUT / 1000
        while True:
            try:
                await self.write_ahead_log.wait_for_room(LOCK_WAIT / 1000)
                outcomes = await self._connection.run(lambda tx: self._transact(tx, works))
            except (_LockedError, FullLogError) as obstacle:
                if stopping() or time.monotonic() >= deadline:
                    raise getattr(obstacle, "error", obstacle) from None
            else:
                self.write_ahead_log.written()
                return outcomes

    def _transact(self, tx: sqlite3.Connection, works: Sequence[Work]) -> list[Any]:
        self._files.check()
        return _run_together(tx, works)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """See Engine."""
        reader = await self._readers.get()
        try:
            return await reader.run(lambda tx: _read_consistently(tx, work))
        except sqlite3.DatabaseError as error:
            if not is_storage_failure(error):
                raise
            raise self.to_storage_error(error) from error
        finally:
            self._readers.put_nowait(reader)

    async def write_aside(self, work: Callable[[Transaction], T]) -> T:
        """See Engine: there is no other manager for whom anything could be written."""
        raise StorageError("A database of SQLite has one writer.")

    def is_storage_failure(self, error: Exception) -> bool:
        """See Engine."""
        return is_storage_failure(error)

    def to_storage_error(self, error: Exception) -> StorageError:
        """See Engine."""
        return to_storage_error(error, self._path)


class _LockedError(Exception):
    """Another program holds the lock; nothing was begun."""

    def __init__(self, error: sqlite3.OperationalError) -> None:
        super().__init__(str(error))
        self.error = error


def _run_together(tx: sqlite3.Connection, works: Sequence[Work]) -> list[Any]:
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


def _run_alone(tx: sqlite3.Connection, work: Work) -> list[Any]:
    """Runs the only unit of a transaction: if it raises, the transaction is undone, not a
    savepoint."""
    try:
        return [work(tx)]
    except Exception as error:
        if tx.in_transaction:
            tx.execute("ROLLBACK")
        return [FailedUnit(error)]


def _run_one(tx: sqlite3.Connection, work: Work) -> Any:
    tx.execute("SAVEPOINT unit")
    try:
        outcome = work(tx)
    except Exception as error:
        if is_storage_failure(error) and not tx.in_transaction:
            raise  # SQLite itself has undone the transaction, on a full disk for example
        tx.execute("ROLLBACK TO unit")
        outcome = FailedUnit(error)
    tx.execute("RELEASE unit")
    return outcome


def _read_consistently(tx: sqlite3.Connection, work: Callable[[Transaction], T]) -> T:
    tx.execute("BEGIN")
    try:
        return work(tx)
    finally:
        tx.execute("ROLLBACK")


@contextlib.asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteEngine]:
    """Opens the file at `path`. Creates it if it is missing, migrates it if it is older.

    Raises:
        StorageError: it cannot be opened, is damaged, or is from a newer program.
    """
    check_sqlite()
    async with contextlib.AsyncExitStack() as stack:
        try:
            writing = await stack.enter_async_context(open_connection(path, read_only=False))
            await writing.run(lambda tx: _prepare(tx, path))
            checkpointing = await stack.enter_async_context(open_connection(path, read_only=False))
            # The one that was used last is taken first: it has prepared statements and pages.
            readers: asyncio.Queue[StorageConnection] = asyncio.LifoQueue()
            for _ in range(_READERS):
                reading = open_connection(path, read_only=True)
                readers.put_nowait(await stack.enter_async_context(reading))
            files = DatabaseFiles(path)
            write_ahead_log = WriteAheadLog(path, writing, checkpointing)
            await writing.run(write_ahead_log.watch_secrets)
        except (sqlite3.Error, OSError) as error:
            raise to_storage_error(error, path) from error
        checkpoints = asyncio.create_task(write_ahead_log.run(), name="checkpoints")
        try:
            yield SqliteEngine(path, writing, write_ahead_log, readers, files)
        finally:
            checkpoints.cancel()
            await asyncio.wait([checkpoints])


def _prepare(tx: sqlite3.Connection, path: Path) -> None:
    """Brings the file to the present schema, on the writer's connection."""
    check_version(tx, path)
    mode = tx.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError("The database's file system does not support SQLite's WAL mode.")
    migrate(tx)
    tx.execute(f"PRAGMA busy_timeout = {LOCK_WAIT}").close()
