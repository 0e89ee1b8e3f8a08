"""PostgreSQL as the engine of the manager's database: one connection that writes, and a few for
reading, each used by one thread at a time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.postgresql import errors
from tui_manager.storage.engine.postgresql.connection import (
    PostgresqlAddress,
    connect,
    postgresql_address,
)
from tui_manager.storage.engine.postgresql.manager_lock import lock_database
from tui_manager.storage.engine.postgresql.migrations import check_server, migrate
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.postgresql.readers import Readers
from tui_manager.storage.engine.postgresql.writing_connection import WritingConnection
from tui_manager.storage.engine.transaction import Transaction, Work

__all__ = ["PostgresqlEngine", "open_postgresql", "postgresql_address"]
T = TypeVar("T")
_LOOK_EVERY = 1.0  # seconds
STOP_CANCEL = 5.0  # seconds without an answer; then a manager that stops ends the statement
STOP_CUT = 10.0  # the same, and then it ends the connection


class PostgresqlEngine:
    """An open database; implements Engine."""

    folder = None
    log_size = 0

    def __init__(
        self, address: PostgresqlAddress, writing: WritingConnection, version: int
    ) -> None:
        """
        Args:
            version: of the server, such as 16.
        """
        self.place = f"PostgreSQL {version} at {address.host}"
        self._address = address
        self._writing = writing
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="postgresql-writer")
        self._readers = Readers(address)
        self._stopping: Callable[[], bool] = lambda: False
        self._running = 0  # transactions that are not yet committed
        self._in_doubt = False  # whether the writing connection may be lost: a read has failed

    @property
    def size(self) -> int:
        """See Engine."""
        return self._writing.size

    @property
    def problem(self) -> str:
        """See Engine."""
        return self._writing.problem

    async def transact(self, works: Sequence[Work], stopping: Callable[[], bool]) -> list[Any]:
        """See Engine and `WritingConnection.transact`."""
        self._stopping = stopping
        return await self._transact(works, stopping)

    async def _transact(self, works: Sequence[Work], stopping: Callable[[], bool]) -> list[Any]:
        loop = asyncio.get_running_loop()
        self._running += 1
        try:
            return await loop.run_in_executor(self._writer, self._writing.transact, works, stopping)
        finally:
            self._running -= 1

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """See Engine."""
        try:
            return await self._readers.read(work)
        except psycopg.Error as error:
            if not errors.is_storage_failure(error):
                raise
            self._in_doubt = True
            raise self.to_storage_error(error) from error

    def is_storage_failure(self, error: Exception) -> bool:
        """See Engine."""
        return errors.is_storage_failure(error)

    def to_storage_error(self, error: Exception) -> StorageError:
        """See Engine."""
        return errors.to_storage_error(error, self._address.name)

    async def watch(self) -> None:
        """Finds that a database is lost or back, also if nothing is to be written. Ends statements
        that the server does not answer: those that read after a limit, and those that write when
        the manager stops."""
        stopping_since: float | None = None
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self._readers.cut_stuck()
            if not self._stopping():
                if (self._writing.problem or self._in_doubt) and not self._running:
                    self._in_doubt = False
                    with contextlib.suppress(StorageError, psycopg.Error):
                        await self._transact((), lambda: True)
                continue
            stopping_since = stopping_since or time.monotonic()
            waited = min(self._writing.busy, time.monotonic() - stopping_since)
            if waited >= STOP_CUT:
                self._writing.cut()
            elif waited >= STOP_CANCEL:
                await asyncio.to_thread(self._writing.cancel)

    async def close(self) -> None:
        """Waits for what runs, and closes all connections."""
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.close)
        self._writing.close()


@contextlib.asynccontextmanager
async def open_postgresql(address: PostgresqlAddress) -> AsyncIterator[PostgresqlEngine]:
    """Opens the database at an address, and brings it to the present schema.

    Raises:
        AlreadyRunningError: another manager uses it.
        StorageError: it cannot be reached or used, or is from a newer program.
    """
    writing, version = await asyncio.to_thread(_open, address)
    engine = PostgresqlEngine(address, writing, version)
    watching = asyncio.create_task(engine.watch(), name="PostgreSQL")
    try:
        yield engine
    finally:
        watching.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        finally:
            await engine.close()


def _open(address: PostgresqlAddress) -> tuple[WritingConnection, int]:
    try:
        connection = connect(address)
        try:
            check_server(connection, address.name)
            lock_database(connection, address.name)  # before anything is changed
            migrate(PostgresqlTransaction(connection), address.name)
            version = connection.info.server_version // 10000
            return WritingConnection(address, connection), version
        except BaseException:
            connection.close()
            raise
    except psycopg.Error as error:
        raise errors.to_storage_error(error, address.name) from error
