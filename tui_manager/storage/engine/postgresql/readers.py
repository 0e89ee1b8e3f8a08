"""All connections except the main one that writes: those that read, and one for writes that
conflict with no other transaction. Each has its own thread."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg

from tui_manager.storage.engine.postgresql.connection import (
    STATEMENT_MAX,
    ConnectionSocket,
    PostgresqlAddress,
    connect,
)
from tui_manager.storage.engine.postgresql.postgresql_transaction import (
    BEGIN,
    BEGIN_READ_ONLY,
    PostgresqlTransaction,
)
from tui_manager.storage.engine.transaction import Transaction

T = TypeVar("T")
_COUNT = 2
READ_MAX = STATEMENT_MAX / 1000 + 10.0  # seconds; then the server does not answer any more
_CLOSE = 5.0  # seconds for what runs when the manager ends


class Readers:
    """Reads in a few threads. Each opens its connection when it first needs one, and anew after it
    was lost."""

    def __init__(self, address: PostgresqlAddress, *, writes: bool = False) -> None:
        """
        Args:
            writes: there is one connection, which also writes.
        """
        count, name = (1, "postgresql-aside") if writes else (_COUNT, "postgresql-reader")
        self._threads = ThreadPoolExecutor(count, name, self._begin_thread)
        self._begin = BEGIN if writes else BEGIN_READ_ONLY
        self._address = address
        self._of_thread = threading.local()
        self._readers: list[_Reader] = []

    def _begin_thread(self) -> None:
        self._of_thread.reader = _Reader(self._address, self._begin)
        self._readers.append(self._of_thread.reader)

    async def read(self, work: Callable[[Transaction], T], reconnects: int) -> T:
        """Runs `work` in a transaction of its own, perhaps twice. Raises psycopg.Error if that is
        not possible now.

        Args:
            reconnects: of the connection that writes. One that was opened before the last of them
                is not used: it may be of another server.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, work, reconnects)

    def _read(self, work: Callable[[Transaction], T], reconnects: int) -> T:
        reader: _Reader = self._of_thread.reader
        if reader.reconnects != reconnects:
            reader.close()
            reader.reconnects = reconnects
        return reader.read(work)

    def cut_stuck(self, limit: float | None = None) -> None:
        """Ends connections on which a read has lasted for so many seconds; None: `READ_MAX`."""
        for reader in self._readers:
            reader.cut_if_busy(READ_MAX if limit is None else limit)

    def close(self) -> None:
        """Waits for what runs, but not for a server that does not answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        ending = threading.Timer(_CLOSE, self.cut_stuck, (0.0,))
        ending.start()
        self._threads.shutdown()
        ending.cancel()
        for reader in self._readers:
            reader.close()


class _Reader:
    """A connection and its transactions.

    Attributes:
        reconnects: see `Readers.read`.
    """

    def __init__(self, address: PostgresqlAddress, begin: str) -> None:
        """
        Args:
            begin: the statement that begins a transaction.
        """
        self._address = address
        self._begin = begin
        self.reconnects = 0
        self._connection: psycopg.Connection[Any] | None = None
        self._socket: ConnectionSocket | None = None
        self._busy_since: float | None = None
        self._was_cut = False

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work`; once more if the connection turns out to be lost."""
        known = self._connection is not None and not self._connection.closed
        self._busy_since, self._was_cut = time.monotonic(), False
        try:
            return self._read(work)
        except psycopg.OperationalError:
            if not known or self._was_cut or not (self._connection and self._connection.closed):
                raise
            return self._read(work)
        finally:
            self._busy_since = None

    def _read(self, work: Callable[[Transaction], T]) -> T:
        if self._connection is None or self._connection.closed:
            self.close()
            self._connection = connect(self._address, self._hold)
        connection = self._connection
        connection.execute(self._begin.encode())
        try:
            tx = PostgresqlTransaction(connection, will_finish=True)
            result = work(tx)
            tx.finish()
        except BaseException:
            with contextlib.suppress(psycopg.OperationalError):  # it is lost
                connection.rollback()
            raise
        connection.execute("COMMIT")  # psycopg forgets prepared statements at a rollback
        return result

    def _hold(self, socket: ConnectionSocket) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = socket

    def cut_if_busy(self, limit: float) -> None:
        """Ends the connection if an answer was waited for so many seconds; called by any thread."""
        since, socket = self._busy_since, self._socket
        if since is not None and socket is not None and time.monotonic() - since >= limit:
            self._was_cut = True
            socket.cut()

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
        if self._socket is not None:
            self._socket.close()
