"""Fills an empty PostgreSQL database in one transaction, with COPY, and reads it back."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.postgresql import errors
from tui_manager.storage.engine.postgresql.connection import (
    PostgresqlAddress,
    connect,
    postgresql_address,
)
from tui_manager.storage.engine.postgresql.gateway_lock import refuse_managers
from tui_manager.storage.engine.postgresql.migrations import check_server, run_missing
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction

_COPY_TYPES = {"bigint": "int8", "text": "text", "boolean": "bool", "bytea": "bytea"}
_COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = :table AND is_generated = 'NEVER'
ORDER BY ordinal_position
"""
_NO_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


class BulkLoad:
    """A connection that fills a database; made by `bulk_load`. Other errors than those that are
    named are errors of psycopg."""

    def __init__(self, address: PostgresqlAddress, connection: "psycopg.Connection[Any]") -> None:
        self.name = address.name
        self.tx = PostgresqlTransaction(connection)
        self._address = address
        self._connection = connection

    def begin(self) -> None:
        """Begins the transaction, and makes the schema. Undoes what was done before.

        Raises:
            AlreadyRunningError: a manager uses the database.
            StorageError: it is from a newer program, or of another one.
        """
        self._connection.rollback()
        self.tx.execute("BEGIN")
        run_missing(self.tx, self.name)  # a manager that starts waits for its lock
        refuse_managers(self._connection, self.name)

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table that can be written, and their types."""
        return {row[0]: row[1] for row in self.tx.execute(_COLUMNS, {"table": table})}

    def write(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
        """Inserts rows, which have the values of these columns, with their types."""
        names = ", ".join(f'"{name}"' for name in columns)
        sql = f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            copy.set_types([_COPY_TYPES[kind] for kind in columns.values()])
            for row in rows:
                copy.write_row(row)

    def read(self, table: str, columns: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
        """All rows of a table, in no order. A boolean is 0 or 1, as in SQLite."""
        names = ", ".join(
            f'"{name}"::int::bigint' if kind == "boolean" else f'"{name}"'
            for name, kind in columns.items()
        )
        sql = f"COPY (SELECT {names} FROM {table}) TO STDOUT (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            copy.set_types(
                ["int8" if kind == "boolean" else _COPY_TYPES[kind] for kind in columns.values()]
            )
            yield from copy.rows()

    def commit(self) -> None:
        """Commits the transaction.

        Raises:
            StorageError: it is not known whether it was committed, or it was not.
        """
        try:
            self._connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if not self._connection.closed or not self._was_committed(error):
                raise

    def mark_as_visible(self, tables: Iterable[str]) -> None:
        """Lets indexes alone answer what they can. A transaction cannot do this for its own rows,
        and the server does it later, if at all, for a table that nobody changes."""
        with contextlib.suppress(psycopg.Error):  # the rows are there without it
            for table in tables:
                self._connection.execute(f"VACUUM {table}".encode())

    def _was_committed(self, error: psycopg.OperationalError) -> bool:
        """Whether the transaction was committed although the connection was lost meanwhile.

        Raises:
            StorageError: the server cannot be asked.
        """
        try:
            with contextlib.closing(connect(self._address)) as again:
                tx = PostgresqlTransaction(again)
                made = tx.execute("SELECT to_regclass('manager') IS NOT NULL").fetchone()[0]
                rows = "SELECT EXISTS (SELECT FROM manager)"
                return bool(made and tx.execute(rows).fetchone()[0])
        except psycopg.Error:
            raise StorageError(
                f"The connection to the {self.name} was lost while the data were being committed, "
                "and cannot be opened again. When the server is back, `tui-manager check` says "
                "whether they are there."
            ) from error


@contextlib.contextmanager
def bulk_load(url: str) -> Iterator[BulkLoad]:
    """Connects to the database at `url`.

    Raises:
        InvalidInputError: `url` cannot be read.
        StorageError: it cannot be reached or used; also for errors of psycopg within the block.
    """
    address = postgresql_address(url)
    try:
        with contextlib.closing(connect(address)) as connection:
            check_server(connection, address.name)
            for name in _NO_TIMEOUTS:
                connection.execute(f"SET {name} = 0".encode())
            yield BulkLoad(address, connection)
    except psycopg.Error as error:
        raise errors.to_storage_error(error, address.name) from error
