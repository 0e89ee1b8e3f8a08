"""Databases of PostgreSQL for tests, on the server that all processes of a run share."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count

import psycopg

from tests.support.postgresql_server import SUPERUSER
from tests.support.shared_postgresql import MANAGER, shared_server

_NUMBERS = count()


@contextmanager
def postgresql_database() -> Iterator[str]:
    """The URL of a new and empty database, which is the manager's own; dropped in the end."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    # Copying files is the cheapest: 30 ms, half of what STRATEGY wal_log takes.
    _as_superuser(f"CREATE DATABASE {name} OWNER {MANAGER} TEMPLATE template0 STRATEGY file_copy")
    try:
        yield shared_server().url(name, MANAGER)
    finally:
        _as_superuser(f"DROP DATABASE {name} WITH (FORCE)")


def url_as_superuser(url: str) -> str:
    """The same database for what the manager's user may not do."""
    return url.replace(f"//{MANAGER}@", f"//{SUPERUSER}@")


def _as_superuser(statement: str) -> None:
    _connection().execute(statement)


@cache
def _connection() -> psycopg.Connection:
    """One for all tests of this process."""
    connection = psycopg.connect(shared_server().url(), autocommit=True)
    atexit.register(connection.close)
    return connection
