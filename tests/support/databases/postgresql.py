"""Databases of PostgreSQL for tests, on the server that all processes of a run share.

A new database costs 50 ms, most of a test's time. So a process keeps those that its tests have
used: the rows are deleted, and the next test begins with what the migrations leave.
"""

import atexit
import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any

import psycopg

from tests.support.databases.kept_connections import KEPT, KeptConnections
from tests.support.databases.postgresql_server import SUPERUSER, find_programs
from tests.support.databases.shared_postgresql import MANAGER, shared_server
from tui_manager.storage.engine.postgresql.connection import connect, postgresql_address
from tui_manager.storage.engine.postgresql.migrations import migrate
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction

_MIGRATED = "migrated"  # the database that others are copied from
_NUMBERS = count()
_USES_MAX = 100  # of a database; what deleted rows leave behind slows it down
_OTHERS = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND pid <> ALL (%s)"
)
_SOON, _PAUSE = 10.0, 0.005  # seconds
_NO_TRIGGERS = "-c session_replication_role=replica"  # to set it later throws away all plans
_WITHOUT_TRIGGERS = b"SET session_replication_role = replica;\n"
_RESET = """
CREATE SCHEMA tests;
CREATE TABLE tests.kept (name text, rows jsonb);
CREATE FUNCTION tests.tables() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
$$;
CREATE FUNCTION tests.parts() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'output_chunks'::regclass
$$;
CREATE TABLE tests.kept_parts AS SELECT tests.parts() AS name;
-- Notes the rows that a migration leaves.
CREATE PROCEDURE tests.keep() LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tests.tables() LOOP
        EXECUTE format('INSERT INTO tests.kept SELECT %1$L, jsonb_agg(t) FROM %1$s AS t
                        HAVING count(*) > 0', name);
    END LOOP;
END $$;
-- Its statements are the same each time, so they are planned once in a session.
DO $$ BEGIN
    EXECUTE format('CREATE PROCEDURE tests.delete_rows() LANGUAGE plpgsql AS %L', 'BEGIN '
        || (SELECT string_agg(format('DELETE FROM %s; ', name), '') FROM tests.tables() AS name)
        || 'END');
END $$;
-- Leaves only those rows, and numbers begin at 1 again.
CREATE PROCEDURE tests.reset() LANGUAGE plpgsql AS $$
DECLARE
    name text;
    old jsonb;
BEGIN
    FOR name IN SELECT tests.parts() EXCEPT SELECT k.name FROM tests.kept_parts AS k LOOP
        EXECUTE format('DROP TABLE %s', name);
    END LOOP;
    CALL tests.delete_rows();
    FOR name, old IN SELECT k.name, k.rows FROM tests.kept AS k LOOP
        EXECUTE format('INSERT INTO %1$s SELECT * FROM jsonb_populate_recordset(NULL::%1$s, $1)',
                       name) USING old;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
    FROM pg_sequences WHERE schemaname = 'public';
END $$;
CALL tests.keep();
"""


@contextmanager
def new_database(template: str = "template0") -> Iterator[str]:
    """The URL of a new database, which is the manager's own; dropped in the end.

    Args:
        template: of which it is a copy; by default it is empty.
    """
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    _create(name, template)
    try:
        yield _url(name)
    finally:
        _drop(name)


@contextmanager
def postgresql_database() -> Iterator[str]:
    """The URL of a database with the present schema, without rows, for this test alone."""
    database = _FREE.pop() if _FREE else _Database(f"test_{os.getpid()}_{next(_NUMBERS)}")
    try:
        yield _url(database.name)
    finally:
        if database.reset():
            _FREE.append(database)
        else:
            database.drop()


@contextmanager
def unused_database() -> Iterator[str]:
    """The same, but no test has used it, so that plans do not depend on what others have stored."""
    _migrate_once()
    with new_database(_MIGRATED) as url:
        yield url


class _Database:
    """A database that several tests use, one after another."""

    def __init__(self, name: str) -> None:
        _migrate_once()
        _create(name, _MIGRATED)
        self.name = name
        url = shared_server().url(name)
        self._connection = psycopg.connect(url, autocommit=True, options=_NO_TRIGGERS)
        self._address = postgresql_address(_url(name)).conninfo
        self._kept = KEPT[self._address] = KeptConnections()
        self._uses = 0

    def reset(self) -> bool:
        """Removes what a test has stored; False: another one should not use it."""
        self._uses += 1
        if self._uses >= _USES_MAX or not self._is_unused():
            return False
        self._connection.execute("CALL tests.reset()")
        return True

    def _is_unused(self) -> bool:
        """Whether all connections of the test have ended, as the server notices soon."""
        deadline = time.monotonic() + _SOON
        while self._connection.execute(_OTHERS, (self._kept.processes(),)).rowcount:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def drop(self) -> None:
        del KEPT[self._address]
        self._kept.close()
        self._connection.close()
        _drop(self.name)


_FREE: list[_Database] = []


def url_as_superuser(url: str) -> str:
    """The same database for what the manager's user may not do."""
    return url.replace(f"//{MANAGER}@", f"//{SUPERUSER}@")


def dump(url: str, *options: str) -> bytes:
    """All that is in a database, as SQL; bytes are hexadecimal."""
    return _client("pg_dump", *options, url_as_superuser(url))


def copy_rows(source: str, target: str) -> None:
    """Copies all rows of a database to another one without rows, as a restore does. The two may
    have output for other days, so no partition may be named: `--disable-triggers` would."""
    rows = dump(source, "--data-only", "--load-via-partition-root", "--schema=public")
    with psycopg.connect(url_as_superuser(target)) as connection:
        for table in ("schema_version", "last_write", "leader", "gateways"):
            connection.execute(f"DELETE FROM {table}")
    options = ("--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1")
    _client("psql", *options, url_as_superuser(target), stdin=_WITHOUT_TRIGGERS + rows)


def _client(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """What a program of PostgreSQL prints."""
    done = subprocess.run(
        [find_programs() / program, *arguments], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def connect_to(url: str) -> "psycopg.Connection[Any]":
    """A connection as the manager has it."""
    return connect(postgresql_address(url))


@cache
def _migrate_once() -> None:
    """Makes the database that others are copied from, unless another process of the run has."""
    with (shared_server().folder / "migrating").open("a") as migrating:
        fcntl.flock(migrating, fcntl.LOCK_EX)
        if not _as_superuser(f"SELECT FROM pg_database WHERE datname = '{_MIGRATED}'").rowcount:
            _create("migrating", "template0")
            address = postgresql_address(_url("migrating"))
            with contextlib.closing(connect(address)) as connection:
                migrate(PostgresqlTransaction(connection), address.name)
            with psycopg.connect(url_as_superuser(_url("migrating"))) as superuser:
                superuser.execute(_RESET)
            _as_superuser(f"ALTER DATABASE migrating RENAME TO {_MIGRATED}")


def _url(name: str) -> str:
    return shared_server().url(name, MANAGER)


def _create(name: str, template: str) -> None:
    # Copying files takes half the time of the other strategy, which writes the log.
    _as_superuser(f"CREATE DATABASE {name} OWNER {MANAGER} TEMPLATE {template} STRATEGY file_copy")


def _drop(name: str) -> None:
    _as_superuser(f"DROP DATABASE {name} WITH (FORCE)")


def _as_superuser(statement: str) -> psycopg.Cursor[Any]:
    return _connection().execute(statement)


@cache
def _connection() -> psycopg.Connection[Any]:
    """One for all tests of this process."""
    connection = psycopg.connect(shared_server().url(), autocommit=True)
    atexit.register(connection.close)
    return connection
