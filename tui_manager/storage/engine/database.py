"""The manager's database: one file, one writer, a few readers."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.aiosqlite_adapter import StorageConnection
from tui_manager.storage.engine.connection import (
    Transaction,
    is_storage_failure,
    open_connection,
    to_storage_error,
)
from tui_manager.storage.engine.database_file import DatabaseFiles
from tui_manager.storage.engine.migrations import check_sqlite, check_version, migrate
from tui_manager.storage.engine.write_ahead_log import WriteAheadLog
from tui_manager.storage.engine.writer import LOCK_WAIT, Writer

T = TypeVar("T")
_READERS = 2


class Database:
    """What the services read and write through; made by `open_database`."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        write_ahead_log: WriteAheadLog,
        readers: "asyncio.Queue[StorageConnection]",
        files: DatabaseFiles,
    ) -> None:
        self.path = path
        self.write_ahead_log = write_ahead_log
        self._writer = writer
        self._readers = readers
        self._files = files
        self._size = 0

    @property
    def waiting(self) -> int:
        """Units of work that wait for the writer."""
        return self._writer.waiting

    @property
    def size(self) -> int:
        """Bytes of the file and of its log; of a file that cannot be found, its last size."""
        with contextlib.suppress(OSError):
            self._size = self.path.stat().st_size
        return self._size + self.write_ahead_log.size

    @property
    def problem(self) -> str:
        """Why nothing may be written now; empty: it may. See `DatabaseFiles`."""
        return self._files.problem

    async def write(self, work: Callable[[Transaction], T], *, early: bool = False) -> T:
        """Runs `work` in a transaction; see `Writer.write`."""
        return await self._writer.write(work, early=early)

    def stop_retrying(self) -> None:
        """See `Writer.stop_retrying`."""
        self._writer.stop_retrying()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` on one consistent state of the database.

        Raises:
            StorageError: the database cannot be read now.
        """
        reader = await self._readers.get()
        try:
            return await reader.run(lambda tx: _read_consistently(tx, work))
        except sqlite3.DatabaseError as error:
            if not is_storage_failure(error):
                raise
            raise to_storage_error(error, self.path) from error
        finally:
            self._readers.put_nowait(reader)


def _read_consistently(tx: Transaction, work: Callable[[Transaction], T]) -> T:
    tx.execute("BEGIN")
    try:
        return work(tx)
    finally:
        tx.execute("ROLLBACK")


@contextlib.asynccontextmanager
async def open_database(
    path: Path, on_transaction: Callable[[float, str], None] = lambda _seconds, _error: None
) -> AsyncIterator[Database]:
    """Opens the database at `path`. Creates it if it is missing, migrates it if it is older.

    Args:
        path: of the file; its folder exists.
        on_transaction: called for each transaction with its seconds, from the queue on, and with
            the reason why the database could not be written; empty: it could.

    Raises:
        StorageError: it cannot be opened, is damaged, or is from a newer program.
    """
    check_sqlite()
    async with contextlib.AsyncExitStack() as stack:
        try:
            writing = await stack.enter_async_context(open_connection(path, read_only=False))
            await writing.run(lambda tx: _prepare(tx, path))
            checkpointing = await stack.enter_async_context(open_connection(path, read_only=False))
            readers: asyncio.Queue[StorageConnection] = asyncio.Queue()
            for _ in range(_READERS):
                reading = open_connection(path, read_only=True)
                readers.put_nowait(await stack.enter_async_context(reading))
                await reading.run(_open_log)
            await checkpointing.run(_open_log)
            database_files = DatabaseFiles(path)
            write_ahead_log = WriteAheadLog(path, writing, checkpointing)
            await writing.run(write_ahead_log.watch_secrets)
        except (sqlite3.Error, OSError) as error:
            raise to_storage_error(error, path) from error
        writer = Writer(writing, path, write_ahead_log, on_transaction, database_files.check)
        checkpoints = asyncio.create_task(write_ahead_log.run(), name="checkpoints")
        running = asyncio.create_task(writer.run(), name="writer")
        try:
            yield Database(path, writer, write_ahead_log, readers, database_files)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await writer.drain()
            checkpoints.cancel()
            await asyncio.wait([checkpoints])


def _prepare(tx: Transaction, path: Path) -> None:
    """Brings the file to the present schema, on the writer's connection."""
    check_version(tx, path)
    mode = tx.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError("The database's file system does not support SQLite's WAL mode.")
    migrate(tx)
    tx.execute(f"PRAGMA busy_timeout = {LOCK_WAIT}").close()


def _open_log(tx: Transaction) -> None:
    """SQLite opens the log, or creates it, at the first read. That must be now: later, another
    folder may be at its path."""
    tx.execute("SELECT count(*) FROM sqlite_schema").fetchone()
