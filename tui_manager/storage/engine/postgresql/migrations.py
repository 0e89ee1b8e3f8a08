"""Brings a PostgreSQL database to this program's schema: numbered files, and a table that says
which of them were run."""

from typing import Any

import psycopg

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.storage.engine.numbered_files import numbered_files
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction

OLDEST_SERVER = 150000  # version 15; older ones are not maintained any more
LOCK = 7443001  # of the migrations, among the advisory locks of the database
_NOTE_VERSION = (
    "INSERT INTO schema_version (version, applied_at) "
    "VALUES (:number, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
)


def check_server(connection: "psycopg.Connection[Any]", name: str) -> None:
    """Raises StorageError when the server is too old for the schema."""
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise StorageError(
            f"The {name} is on PostgreSQL {version // 10000}; tui-manager needs "
            f"{OLDEST_SERVER // 10000} or newer."
        )


def migrate(tx: PostgresqlTransaction, name: str) -> None:
    """Runs what is missing, all of it in one transaction. Managers that start at the same time wait
    for each other.

    Raises:
        StorageError: the database is from a newer program, or of another one; it is left alone.
    """
    tx.execute("BEGIN")
    try:
        run_missing(tx, name)
        tx.execute("COMMIT")
    except BaseException:
        tx.connection.rollback()
        raise


def run_missing(tx: PostgresqlTransaction, name: str) -> None:
    """Runs what is missing, in the transaction that has begun. Raises as `migrate`."""
    files = numbered_files("postgresql")
    tx.execute("SET LOCAL lock_timeout = 0")
    tx.execute("SET LOCAL statement_timeout = 0")
    tx.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))
    version = _version(tx, name)
    _refuse_newer(version, len(files), name)
    for number, sql in files[version:]:
        tx.connection.execute(sql.encode())
        tx.execute(_NOTE_VERSION, {"number": number})


def manager_of(tx: PostgresqlTransaction) -> str:
    """The id of the manager that owns the database, whatever its schema; empty: nobody does yet."""
    exists = (
        "SELECT to_regclass('manager') IS NOT NULL AND to_regclass('schema_version') IS NOT NULL"
    )
    if not tx.execute(exists).fetchone()[0]:
        return ""
    row = tx.execute("SELECT manager_id FROM manager").fetchone()
    return "" if row is None else str(row["manager_id"])


def check_version(tx: PostgresqlTransaction, name: str) -> None:
    """Raises InvalidInputError when the database has not this program's schema."""
    newest = len(numbered_files("postgresql"))
    try:
        version = _version(tx, name)
        _refuse_newer(version, newest, name)
    except StorageError as error:
        raise InvalidInputError("database", str(error)) from error
    if not version:
        raise InvalidInputError("database", f"The {name} is empty, and no database of tui-manager.")
    if version < newest:
        raise InvalidInputError(
            "database",
            f"The {name} was written by an older tui-manager (schema {version}; this program "
            f"has {newest}). Start the manager once, which brings it up to date.",
        )


def _refuse_newer(version: int, newest: int, name: str) -> None:
    if version > newest:
        raise StorageError(
            f"The {name} was written by a newer tui-manager (schema {version}; this program "
            f"knows {newest}). Start that one, or name another database."
        )


def _version(tx: PostgresqlTransaction, name: str) -> int:
    """The number of the newest migration that was run; 0: the schema is empty."""
    found = tx.execute(
        "SELECT to_regclass('schema_version') IS NOT NULL AS ours, "
        "to_regclass('tasks') IS NOT NULL OR to_regclass('hosts') IS NOT NULL AS used"
    ).fetchone()
    if not found["ours"]:
        if found["used"]:
            raise StorageError(f"The {name} is of another program. Name another one.")
        return 0
    row = tx.execute("SELECT coalesce(max(version), 0)::bigint FROM schema_version").fetchone()
    return int(row[0])
