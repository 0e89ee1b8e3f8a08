"""PostgreSQL as the engine of the manager's database: one connection that writes, and a few for
reading, each used by one thread at a time."""

import asyncio
import contextlib
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
from tui_manager.storage.engine.postgresql.migrations import check_server, migrate
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.postgresql.writing_connection import WritingConnection
from tui_manager.storage.engine.transaction import Transaction, Work

__all__ = ["PostgresqlEngine", "open_postgresql", "postgresql_address"]
T = TypeVar("T")
_READERS = 2
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"


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
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="postgresql-reader")
        self._reading: asyncio.Queue[_Reader] = asyncio.Queue()
        for _ in range(_READERS):
            self._reading.put_nowait(_Reader(address))

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
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._writing.transact, works, stopping)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """See Engine."""
        reader = await self._reading.get()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, reader.read, work)
        except psycopg.Error as error:
            if not errors.is_storage_failure(error):
                raise
            raise self.to_storage_error(error) from error
        finally:
            self._reading.put_nowait(reader)

    def is_storage_failure(self, error: Exception) -> bool:
        """See Engine."""
        return errors.is_storage_failure(error)

    def to_storage_error(self, error: Exception) -> StorageError:
        """See Engine."""
        return errors.to_storage_error(error, self._address.name)

    async def close(self) -> None:
        """Waits for what runs, and closes all connections."""
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        self._writing.close()
        while not self._reading.empty():
            self._reading.get_nowait().close()


class _Reader:
    """A connection that reads. It is opened when it is first needed, and anew after it was lost."""

    def __init__(self, address: PostgresqlAddress) -> None:
        self._address = address
        self._connection: psycopg.Connection[Any] | None = None

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` on one consistent state; once more if the connection turns out to be lost."""
        known = self._connection is not None
        try:
            return self._read(work)
        except psycopg.OperationalError:
            if not known or (self._connection and not self._connection.closed):
                raise
        return self._read(work)

    def _read(self, work: Callable[[Transaction], T]) -> T:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._address)
        connection = self._connection
        connection.execute(_BEGIN_READ)
        try:
            found = work(PostgresqlTransaction(connection))
        except BaseException:
            with contextlib.suppress(psycopg.OperationalError):  # it is lost
                connection.rollback()
            raise
        connection.commit()  # a rollback would make psycopg give up its prepared statements
        return found

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()


@contextlib.asynccontextmanager
async def open_postgresql(address: PostgresqlAddress) -> AsyncIterator[PostgresqlEngine]:
    """Opens the database at an address, and brings it to the present schema.

    Raises:
        AlreadyRunningError: another manager uses it.
        StorageError: it cannot be reached or used, or is from a newer program.
    """
    writing, version = await asyncio.to_thread(_open, address)
    engine = PostgresqlEngine(address, writing, version)
    try:
        yield engine
    finally:
        await engine.close()


def _open(address: PostgresqlAddress) -> tuple[WritingConnection, int]:
    try:
        connection = connect(address)
        try:
            check_server(connection, address.name)
            migrate(PostgresqlTransaction(connection), address.name)
            version = connection.info.server_version // 10000
            return WritingConnection(address, connection), version
        except BaseException:
            connection.close()
            raise
    except psycopg.Error as error:
        raise errors.to_storage_error(error, address.name) from error
