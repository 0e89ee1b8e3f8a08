"""The number of a manager among those of a database, and its lock: a copied state folder cannot run
a second manager of the same number. PostgreSQL releases the lock when the session that holds it
ends."""

import time
from typing import Any

import psycopg
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction

# Not the next number of a sequence, of which each start would use one up. If another manager takes
# the same number at the same moment, this one tries again.
_REGISTER = """
INSERT INTO gateways (id, key, started_at)
SELECT coalesce(max(id), 0) + 1, :key, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM gateways
ON CONFLICT DO NOTHING
"""
_NUMBER = "SELECT id FROM gateways WHERE key = :key"
_COUNT = "INSERT INTO last_write (gateway, number) VALUES (:gateway, 0) ON CONFLICT DO NOTHING"
START_WAIT = 3.0  # seconds for the session of a manager that was killed just before
_PAUSE = 0.1  # seconds
# Of the managers of this schema; the second number of the lock is that of the manager.
_KIND = "hashtext('tui-manager ' || current_schema())"
_LOCK = f"SELECT pg_try_advisory_lock({_KIND}, :gateway::int) AS held"
_HOLDERS = f"""
SELECT l.pid, l.objid::bigint AS gateway,
       coalesce(host(a.client_addr), 'its own machine') AS address,
       coalesce(a.wait_event = 'SyncRep', false) AS waits_for_standby
FROM pg_locks AS l
    LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {_KIND}::oid AND l.objsubid = 2
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY l.objid
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


def register(connection: "psycopg.Connection[Any]", key: str) -> int:
    """The number of the manager with this key, which is added if it is new."""
    tx = PostgresqlTransaction(connection)
    while (row := tx.execute(_NUMBER, {"key": key}).fetchone()) is None:
        tx.execute(_REGISTER, {"key": key})
    number = int(row["id"])
    tx.execute(_COUNT, {"gateway": number})
    return number


def lock_gateway(connection: "psycopg.Connection[Any]", gateway: int, name: str) -> None:
    """Locks the number of a manager for the session of this connection.

    Args:
        name: of the database, for the operator.

    Raises:
        AlreadyRunningError: another manager has locked it, and does not let go of it soon.
    """
    deadline = time.monotonic() + START_WAIT
    while not try_to_lock(connection, gateway):
        if time.monotonic() > deadline:
            raise AlreadyRunningError(
                f"A manager with the number of this one already uses the {name}: "
                f"{holder(connection, gateway)}. If the state folder is a copy of that manager's, "
                "delete the file `gateway` in this one, which then gets a number of its own."
            )
        time.sleep(_PAUSE)


def try_to_lock(connection: "psycopg.Connection[Any]", gateway: int) -> bool:
    """Whether the session of this connection has the lock of this manager now."""
    row = PostgresqlTransaction(connection).execute(_LOCK, {"gateway": gateway}).fetchone()
    return bool(row["held"])


def holder(connection: "psycopg.Connection[Any]", gateway: int) -> str:
    """Who has the lock of this manager, in words for the operator."""
    found = [row for row in _holders(connection) if row["gateway"] == gateway]
    return _describe(found[0]) if found else "it has just ended"


def refuse_managers(connection: "psycopg.Connection[Any]", name: str) -> None:
    """Raises AlreadyRunningError if any manager uses the database.

    Args:
        name: of the database, for the operator.
    """
    for row in _holders(connection):
        raise AlreadyRunningError(f"A manager uses the {name}: {_describe(row)}. Stop it first.")


def _holders(connection: "psycopg.Connection[Any]") -> list[Any]:
    return PostgresqlTransaction(connection).execute(_HOLDERS).fetchall()


def _describe(row: Any) -> str:
    waits = ", which waits for a standby" if row["waits_for_standby"] else ""
    return f"process {row['pid']} of the server{waits}, connected from {row['address']}"


def check_schema(connection: "psycopg.Connection[Any]", name: str) -> None:
    """Raises StorageError if the user of the connection has no schema for tables."""
    row = PostgresqlTransaction(connection).execute("SELECT current_schema()").fetchone()
    if row[0] is None:
        raise StorageError(
            f"The search_path of this user names no schema of the {name}. Create one, or set the "
            "user's search_path."
        )


def end_session(connection: "psycopg.Connection[Any]", session: ServerSession) -> None:
    """Ends a session whose connection is lost, which the server may not have noticed."""
    values = {"pid": session.pid, "began": session.began}
    PostgresqlTransaction(connection).execute(_END, values)
