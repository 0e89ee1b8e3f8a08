"""Messages between managers with LISTEN and NOTIFY, on two connections of their own.

They never share a transaction with what is written: a commit with NOTIFY locks all databases of the
server for a moment. Whether the two connections are alive is not judged here.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.postgresql import errors
from tui_manager.storage.engine.postgresql.connection import (
    ConnectionSocket,
    PostgresqlAddress,
    TimedConnection,
    connect,
)

# A server carries the messages of each database apart. Managers may share a database, each with a
# schema of its own. The name of a schema may be too long for that of a channel.
_CHANNEL = "SELECT 'tui_manager_' || current_schema()::regnamespace::oid AS channel"
_NOTIFY = "SELECT pg_notify(%s, %s)"


class Notifications:
    """Two connections to a database, one that listens and one that sends; implements MessageLink.
    What waits for the server runs in a thread of its own."""

    def __init__(self, address: PostgresqlAddress) -> None:
        self._address = address
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="postgresql-notifications")
        self._connections: list[TimedConnection] = []
        self._sockets: list[ConnectionSocket] = []
        self._channel = ""
        self._on_message: Callable[[bytes], None] | None = None
        self._on_lost: Callable[[str], None] | None = None
        self._read_from: int | None = None  # the file descriptor that the event loop watches
        self._ended = False

    async def open(
        self, on_message: Callable[[bytes], None], on_lost: Callable[[str], None]
    ) -> None:
        """See MessageLink."""
        self._on_message, self._on_lost = on_message, on_lost
        loop = asyncio.get_running_loop()
        await self._in_thread(self._connect)
        self._read_from = self._connections[0].fileno()
        loop.add_reader(self._read_from, self._read)
        self._read()  # what has come meanwhile

    async def send(self, message: bytes) -> None:
        """See MessageLink."""
        await self._in_thread(partial(self._notify, message.decode("ascii")))

    async def close(self, patience: float | None) -> None:
        """See MessageLink. While a connection is being made, nothing can end it, and it may take as
        long as its timeout."""
        self._ended = True
        if self._read_from is not None:
            asyncio.get_running_loop().remove_reader(self._read_from)
            self._read_from = None
        for socket in self._sockets:
            socket.cut()
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        await asyncio.wait([closing], timeout=patience)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except psycopg.Error as error:
            raise self._to_storage_error(error) from error

    def _to_storage_error(self, error: psycopg.Error) -> StorageError:
        return errors.to_storage_error(error, self._address.name)

    def _connect(self) -> None:
        listening = self._connect_one()
        row = listening.execute(_CHANNEL).fetchone()
        assert row is not None
        self._channel = row["channel"]
        listening.execute(f'LISTEN "{self._channel}"'.encode())
        self._connect_one()

    def _connect_one(self) -> TimedConnection:
        connection = connect(self._address, self._hold)
        self._connections.append(connection)
        return connection

    def _hold(self, socket: ConnectionSocket) -> None:
        self._sockets.append(socket)
        if self._ended:
            socket.cut()

    def _notify(self, message: str) -> None:
        # Other programs notify too, and each locks the others out. A message may be lost.
        with contextlib.suppress(psycopg.errors.LockNotAvailable):
            self._connections[1].execute(_NOTIFY, (self._channel, message))

    def _read(self) -> None:
        """Called by the event loop when the connection that listens has something to read."""
        if self._read_from is None or self._on_message is None or self._on_lost is None:
            return
        server = self._connections[0].pgconn
        try:
            server.consume_input()
            while notification := server.notifies():
                self._on_message(notification.extra)
        except psycopg.Error as error:
            asyncio.get_running_loop().remove_reader(self._read_from)
            self._read_from = None
            self._on_lost(str(self._to_storage_error(error)))

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()
        for socket in self._sockets:
            socket.close()
