"""The lock that makes a manager the only one of its database. PostgreSQL releases it when the
session ends that holds it."""

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from tui_manager.domain.errors import AlreadyRunningError
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction

START_WAIT = 3.0  # seconds for the session of a manager that was killed just before
_PAUSE = 0.1  # seconds
_LOCK = "SELECT pg_try_advisory_lock(7443, hashtext(current_schema())) AS held"
_HOLDER = """
SELECT l.pid, coalesce(host(a.client_addr), 'its own machine') AS address,
       coalesce(a.wait_event = 'SyncRep', false) AS waits_for_standby
FROM pg_locks AS l
    LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 7443
    AND l.objid = hashtext(current_schema())::oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SESSION = """
SELECT pid, backend_start::text AS began FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = :pid AND backend_start::text = :began
"""


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session as the server knows it."""

    pid: int
    began: str


def session_of(connection: "psycopg.Connection[Any]") -> ServerSession:
    """The session of this connection."""
    row = PostgresqlTransaction(connection).execute(_SESSION).fetchone()
    return ServerSession(row["pid"], row["began"])


def lock_database(connection: "psycopg.Connection[Any]", name: str) -> None:
    """Locks the database for the session of this connection.

    Raises:
        AlreadyRunningError: another manager has locked it, and does not let go of it soon.
    """
    deadline = time.monotonic() + START_WAIT
    while not try_to_lock(connection):
        if time.monotonic() > deadline:
            raise AlreadyRunningError(
                f"Another manager uses the {name}: {holder(connection)}. End it, or name another "
                "database."
            )
        time.sleep(_PAUSE)


def try_to_lock(connection: "psycopg.Connection[Any]") -> bool:
    """Whether the session of this connection has the lock now."""
    return bool(PostgresqlTransaction(connection).execute(_LOCK).fetchone()["held"])


def holder(connection: "psycopg.Connection[Any]") -> str:
    """Who has the lock, in words for the operator."""
    row = PostgresqlTransaction(connection).execute(_HOLDER).fetchone()
    if row is None:
        return "it has just ended"
    waits = ", which waits for a standby" if row["waits_for_standby"] else ""
    return f"process {row['pid']} of the server{waits}, connected from {row['address']}"


def end_session(connection: "psycopg.Connection[Any]", session: ServerSession) -> None:
    """Ends a session whose connection is lost, which the server may not have noticed."""
    values = {"pid": session.pid, "began": session.began}
    PostgresqlTransaction(connection).execute(_END, values)
