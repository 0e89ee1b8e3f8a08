"""The manager's database: one file, one writer, a few readers."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.connection import (
    StorageConnection,
    Transaction,
    explain,
    is_storage_failure,
    open_connection,
)
from tui_manager.storage.engine.database_file import Place
from tui_manager.storage.engine.migrations import check_sqlite, check_version, migrate
from tui_manager.storage.engine.write_ahead_log import Log
from tui_manager.storage.engine.writer import LOCKED, Writer

T = TypeVar("T")
FILE = "manager.db"
_READERS = 2


class Database:
    """What the services read and write through; made by `open_database`."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        log: Log,
        readers: "asyncio.Queue[StorageConnection]",
        place: Place,
    ) -> None:
        self.path = path
        self.log = log
        self._writer = writer
        self._readers = readers
        self._place = place
        self._size = 0

    @property
    def waiting(self) -> int:
        """Units of work that wait for the writer."""
        return self._writer.waiting

    @property
    def size(self) -> int:
        """Bytes of the file and of its log; while they are out of reach, what they were."""
        with contextlib.suppress(OSError):
            self._size = self.path.stat().st_size
        return self._size + self.log.size

    @property
    def problem(self) -> str:
        """Why nothing may be written now; empty: it may. See `Place`."""
        return self._place.problem

    async def write(self, work: Callable[[Transaction], T], *, ahead: bool = False) -> T:
        """Runs `work` in a transaction, whole or not at all; see `Writer.write`."""
        return await self._writer.write(work, ahead=ahead)

    def stop_waiting(self) -> None:
        """See `Writer.stop_waiting`."""
        self._writer.stop_waiting()

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
            raise explain(error, self.path) from error
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
    path: Path, told: Callable[[float, str], None] = lambda _seconds, _error: None
) -> AsyncIterator[Database]:
    """Opens the database at `path`, makes it when it is not there, migrates it when it is older.

    Args:
        path: of the file; its folder exists.
        told: called for each transaction with its seconds, queueing included, and with why the
            database could not be written, empty when it could.

    Raises:
        StorageError: it cannot be opened, is damaged, or is from a newer program.
    """
    check_sqlite()
    async with contextlib.AsyncExitStack() as stack:
        try:
            writing = await stack.enter_async_context(open_connection(path, read_only=False))
            await writing.run(lambda tx: check_version(tx, path))
            await writing.run(_use_wal)
            await writing.run(migrate)
            await writing.run(lambda tx: tx.execute(f"PRAGMA busy_timeout = {LOCKED}").close())
            carrying = await stack.enter_async_context(open_connection(path, read_only=False))
            readers: asyncio.Queue[StorageConnection] = asyncio.Queue()
            for _ in range(_READERS):
                reading = open_connection(path, read_only=True)
                readers.put_nowait(await stack.enter_async_context(reading))
                await reading.run(_open_log)
            await carrying.run(_open_log)
            place = Place(path)
            log = Log(path, writing, carrying)
            await writing.run(log.watch_secrets)
        except (sqlite3.Error, OSError) as error:
            raise explain(error, path) from error
        writer = Writer(writing, path, log, told, place.check)
        shortening = asyncio.create_task(log.run(), name="log")
        running = asyncio.create_task(writer.run(), name="writer")
        try:
            yield Database(path, writer, log, readers, place)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await writer.drain()
            shortening.cancel()
            await asyncio.wait([shortening])


def _open_log(tx: Transaction) -> None:
    """SQLite opens the log, and makes it, with the first read: not later, when another folder may
    lie there."""
    tx.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _use_wal(tx: Transaction) -> None:
    mode = tx.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError("The database's file system does not support SQLite's WAL mode.")
