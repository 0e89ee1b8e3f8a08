"""PostgreSQL as the engine of the manager's database: one connection that writes, and a few for
reading, each used by one thread at a time."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import psycopg

from tui_manager.domain.errors import StorageError
from tui_manager.open_in_thread import open_in_thread
from tui_manager.storage.engine.postgresql import errors, readers
from tui_manager.storage.engine.postgresql.connection import (
    PostgresqlAddress,
    connect,
    postgresql_address,
)
from tui_manager.storage.engine.postgresql.gateway_lock import (
    check_schema,
    lock_gateway,
    register,
)
from tui_manager.storage.engine.postgresql.listen_notify import Notifications
from tui_manager.storage.engine.postgresql.migrations import check_server, manager_of, migrate
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.postgresql.readers import Readers
from tui_manager.storage.engine.postgresql.writing.lease import Lease
from tui_manager.storage.engine.postgresql.writing.writing_connection import WritingConnection
from tui_manager.storage.engine.transaction import Transaction, Work

__all__ = ["PostgresqlEngine", "open_postgresql", "postgresql_address"]
log = logging.getLogger(__name__)
T = TypeVar("T")
_LOOK_EVERY = 1.0  # seconds
_SIZE_EVERY = 60.0  # seconds between two looks at the size of the database
_SET_GATEWAY = "SELECT set_config('tui_manager.gateway', :gateway, false)"
_SIZE = "SELECT pg_database_size(current_database()) AS size"
STOP_CANCEL = 5.0  # seconds without an answer; then a manager that stops ends the statement
STOP_CUT = 10.0  # the same, and then it ends the connection


class PostgresqlEngine:
    """An open database; implements Engine."""

    folder = None
    log_size = 0
    shared = True

    def __init__(
        self,
        address: PostgresqlAddress,
        writing: WritingConnection,
        lease: Lease,
        version: int,
        size: int,
    ) -> None:
        """
        Args:
            lease: of this manager.
            version: of the server, such as 16.
            size: of the database in bytes.
        """
        self.place = f"PostgreSQL {version} at {address.host}"
        self.gateway = address.gateway
        self._address = address
        self._lease = lease
        self._writing = writing
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="postgresql-writer")
        self._readers = Readers(address)
        self._aside = Readers(address, writes=True)
        self._stopping: Callable[[], bool] = lambda: False
        self._running = 0  # transactions that are not yet committed
        self._size = size
        self._size_read = time.monotonic()
        self._probing: asyncio.Task[None] | None = None
        self._reading_size: asyncio.Task[None] | None = None
        self._read_failed = False  # whether the writing connection may be lost: a read has failed

    @property
    def size(self) -> int:
        """See Engine."""
        return self._size

    @property
    def problem(self) -> str:
        """See Engine."""
        return self._writing.problem

    @property
    def reconnects(self) -> int:
        """See Engine."""
        return self._writing.reconnects

    @property
    def epoch(self) -> int | None:
        """See Engine."""
        return self._lease.epoch

    def lead(self, epoch: int | None) -> None:
        """See Engine."""
        self._lease.epoch = epoch

    @property
    def committed(self) -> int:
        """See Engine."""
        return self._writing.committed

    @property
    def answers(self) -> int:
        """See Engine."""
        return self._writing.committed + self._writing.conflicts

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
        return await self._run_on(self._readers, work)

    async def write_aside(self, work: Callable[[Transaction], T]) -> T:
        """See Engine."""
        return await self._run_on(self._aside, work)

    async def _run_on(self, readers: Readers, work: Callable[[Transaction], T]) -> T:
        try:
            return await readers.read(work, self._writing.reconnects)
        except psycopg.Error as error:
            if not errors.is_storage_failure(error):
                raise
            self._read_failed = True
            raise self.to_storage_error(error) from error

    def new_message_link(self) -> Notifications:
        """See Engine."""
        return Notifications(self._address)

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
            try:
                if self._stopping():
                    stopping_since = stopping_since or time.monotonic()
                    await self._end_last(time.monotonic() - stopping_since)
                self._look()
            except Exception:
                log.exception("a look at the connections to PostgreSQL failed")

    def _look(self) -> None:
        """Waits for no server: the next look ends what this one has begun."""
        self._readers.cut_stuck()
        self._aside.cut_stuck()
        self._writing.cut_if_stuck(readers.READ_MAX)
        if self._stopping():
            return
        lost = self._writing.problem or self._read_failed
        if lost and not self._running and _is_over(self._probing):
            self._read_failed = False
            self._probing = asyncio.create_task(self._probe(), name="PostgreSQL probe")
        due = time.monotonic() - self._size_read > _SIZE_EVERY
        if due and not lost and _is_over(self._reading_size):
            self._size_read = time.monotonic()
            self._reading_size = asyncio.create_task(self._read_size(), name="PostgreSQL size")

    async def _end_last(self, waited: float) -> None:
        """Ends what is written, if it was not answered since the manager stops."""
        waited = min(self._writing.busy, waited)
        if waited >= STOP_CUT:
            self._writing.cut()
        elif waited >= STOP_CANCEL:
            await asyncio.to_thread(self._writing.cancel)

    async def _probe(self) -> None:
        try:
            with contextlib.suppress(StorageError, psycopg.Error):
                await self._transact((), lambda: True)
        except Exception:
            log.exception("the database cannot be probed", extra={"database": self._address.name})

    async def _read_size(self) -> None:
        with contextlib.suppress(StorageError):  # the next transaction meets it
            self._size = await self.read(_size_of)

    async def end_probe(self) -> None:
        """Waits for the last probe, which `watch` ends if the server does not answer."""
        self._stopping = lambda: True
        if self._probing is not None:
            await asyncio.wait([self._probing])

    async def close(self) -> None:
        """Waits for what runs, and closes all connections."""
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.close)
        await asyncio.to_thread(self._aside.close)
        if self._reading_size is not None:
            await asyncio.wait([self._reading_size])
        self._writing.close()

    def close_unused(self) -> None:
        """Closes the only connection that there is before the first use. Any thread may call it."""
        self._writing.close()


def _is_over(task: "asyncio.Task[None] | None") -> bool:
    return task is None or task.done()


def _size_of(tx: Transaction) -> int:
    """The size of the database in bytes."""
    return int(tx.execute(_SIZE).fetchone()["size"])


@contextlib.asynccontextmanager
async def open_postgresql(
    address: PostgresqlAddress, check_manager: Callable[[str], None], key: str
) -> AsyncIterator[PostgresqlEngine]:
    """Opens the database at an address, and brings it to the present schema.

    Args:
        check_manager, key: see `open_database`.

    Raises:
        AlreadyRunningError: another manager with this key uses it.
        StorageError: it cannot be reached or used, or is from a newer program.
    """
    engine = await open_in_thread(
        partial(_open, address, check_manager, key), PostgresqlEngine.close_unused
    )
    watching = asyncio.create_task(engine.watch(), name="PostgreSQL")
    try:
        yield engine
    finally:
        try:
            await engine.end_probe()
        finally:
            watching.cancel()
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
            finally:
                await engine.close()


def _open(
    address: PostgresqlAddress, check_manager: Callable[[str], None], key: str
) -> PostgresqlEngine:
    try:
        connection = connect(address)
        try:
            check_server(connection, address.name)
            check_schema(connection, address.name)
            tx = PostgresqlTransaction(connection)
            check_manager(manager_of(tx))  # before anything is changed
            migrate(tx, address.name)
            address = replace(address, gateway=register(connection, key))
            lock_gateway(connection, address.gateway, address.name)
            tx.execute(_SET_GATEWAY, {"gateway": str(address.gateway)})
            lease = Lease(address.gateway)
            lease.take_if_free(tx)
            version = connection.info.server_version // 10000
            writing = WritingConnection(address, connection, lease)
            size = 0
            with contextlib.suppress(psycopg.Error):  # the first transaction meets it
                size = _size_of(tx)
            return PostgresqlEngine(address, writing, lease, version, size)
        except BaseException:
            connection.close()
            raise
    except psycopg.Error as error:
        raise errors.to_storage_error(error, address.name) from error
