"""How a connection to PostgreSQL is opened, and how another thread ends it."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from itertools import chain
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.storage.engine.database_url import hide_password
from tui_manager.storage.engine.postgresql.postgresql_transaction import adapt, rows

T = TypeVar("T")
LOCK_WAIT = 500  # milliseconds that a statement waits for a lock at one attempt
STATEMENT_MAX = 60_000  # milliseconds of a statement of the manager
IDLE_MAX = 10_000  # milliseconds that its transaction may stand idle
_PREPARED_MAX = 1000  # statements that a connection keeps planned: all of the program
# How the manager notices that the server is gone: a lost machine answers nothing.
_NETWORK = {
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",  # milliseconds
}
_SESSION = {
    "lock_timeout": str(LOCK_WAIT),
    "statement_timeout": str(STATEMENT_MAX),
    "idle_in_transaction_session_timeout": str(IDLE_MAX),
    "idle_session_timeout": "0",  # the session holds the manager's lock
    "jit": "off",  # its compiler takes longer than our statements
    "max_parallel_workers_per_gather": "0",  # so does the start of other processes
    "timezone": "UTC",
    # How the server notices that the manager is gone, and gives its lock to the next one.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "client_min_messages": "warning",
}

# An agent deletes what is committed, so a commit is never confirmed before it is on a disk.
_DURABLE = (
    "SELECT set_config('synchronous_commit', 'local', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """Where a database is.

    Attributes:
        conninfo: for libpq, perhaps with a password.
        name: for the operator, without a password.
        host: of the server, for the operator; several with commas between them.
        gateway: the number of the manager; 0: it has none yet.
    """

    conninfo: str = field(repr=False)
    name: str
    host: str
    gateway: int = 0


def postgresql_address(url: str) -> PostgresqlAddress:
    """The address in a setting: `postgresql://USER@HOST:PORT/DATABASE?PARAMETER=VALUE`.

    Raises:
        InvalidInputError: it cannot be read.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        # What libpq says may repeat parts of the URL, and so of a password.
        shown = hide_password(url)
        reason = str(error).strip() if shown == url else "write it as the manual says"
        raise InvalidInputError(
            "database", f"The setting database, {shown}, cannot be read: {reason}."
        ) from None
    service = given.get("service")
    host = given.get("host") or given.get("hostaddr") or "the local socket"
    name = f"PostgreSQL database {given.get('dbname') or 'of the user'} at {host}"
    if service:  # whose file says the rest
        host = f"the service {service}"
        name = f"PostgreSQL database of {host}"
    return PostgresqlAddress(make_conninfo(url, **_without(given)), name, str(host))


def _without(given: Mapping[str, object]) -> dict[str, str]:
    """What the operator has not said otherwise."""
    chosen = {"application_name": "tui-manager", **_NETWORK}
    if "," in f"{given.get('host', '')}{given.get('hostaddr', '')}":
        chosen["target_session_attrs"] = "read-write"  # a standby takes no writes
    return {name: value for name, value in chosen.items() if name not in given}


class TimedConnection(psycopg.Connection[Any]):
    """A connection that knows since when it has waited for the answer to a statement.

    Attributes:
        waits_since: a time of `time.monotonic`; None: it waits for no answer.
    """

    waits_since: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """See psycopg.Connection: each statement is sent and answered in a call of this."""
        self.waits_since = time.monotonic()
        try:
            return super().wait(gen, interval, timeout)
        finally:
            self.waits_since = None


class ConnectionSocket:
    """The socket of a connection, held a second time: any thread may cut it, also while another one
    waits for an answer that never comes."""

    def __init__(self, connection: TimedConnection) -> None:
        """
        Raises:
            psycopg.OperationalError: this process has too many open files.
        """
        self._connection = connection
        try:
            self._socket = socket.socket(fileno=os.dup(connection.pgconn.socket))
        except OSError as error:
            raise psycopg.OperationalError(f"The connection cannot be used: {error}") from error

    @property
    def waited(self) -> float:
        """For how many seconds the answer to a statement has been waited for; 0: for none."""
        since = self._connection.waits_since
        return 0.0 if since is None else time.monotonic() - since

    def cut(self) -> None:
        """Ends the connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Lets go of it."""
        self._socket.close()


def connect(
    address: PostgresqlAddress, on_socket: Callable[[ConnectionSocket], None] | None = None
) -> TimedConnection:
    """A connection on which transactions are begun by hand.

    Args:
        on_socket: gets the socket before the first statement, so that another thread can end the
            connection if that is never answered; None: nobody does.

    Raises:
        psycopg.Error: the server cannot be reached, or refuses.
    """
    connection = TimedConnection.connect(address.conninfo, autocommit=True, row_factory=rows)
    try:
        if on_socket is not None:
            on_socket(ConnectionSocket(connection))
        adapt(connection)
        connection.prepared_max = _PREPARED_MAX
        session = {**_SESSION, "tui_manager.gateway": str(address.gateway)}
        settings = ", ".join("set_config(%s, %s, false)" for _ in session)
        connection.execute(f"SELECT {settings}".encode(), [*chain(*session.items())])
        connection.execute(_DURABLE)
    except BaseException:
        connection.close()
        raise
    return connection
