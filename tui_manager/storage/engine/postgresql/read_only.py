"""Reads a PostgreSQL database that a manager may be using, without changing it."""

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import psycopg

from tui_manager.storage.engine.postgresql import errors
from tui_manager.storage.engine.postgresql.connection import connect, postgresql_address
from tui_manager.storage.engine.postgresql.migrations import check_server, check_version
from tui_manager.storage.engine.postgresql.postgresql_transaction import (
    BEGIN_READ_ONLY,
    PostgresqlTransaction,
)

T = TypeVar("T")
# The timeouts of the manager are too short for what reads all of the database.
_BEGIN = (
    "SET statement_timeout = 0",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    BEGIN_READ_ONLY,
)


def read_only(url: str, work: Callable[[PostgresqlTransaction], T]) -> T:
    """Runs `work` on one consistent state of the database at `url`, and returns what it returned.

    Raises:
        InvalidInputError: `url` cannot be read, or the database has not this program's schema.
        StorageError: the database cannot be reached or read.
    """
    address = postgresql_address(url)
    try:
        with closing(connect(address)) as connection:
            check_server(connection, address.name)
            for statement in _BEGIN:
                connection.execute(statement)
            tx = PostgresqlTransaction(connection)
            check_version(tx, address.name)
            return work(tx)
    except psycopg.Error as error:
        raise errors.to_storage_error(error, address.name) from error
