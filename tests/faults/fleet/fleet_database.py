"""The database of a fleet, read and troubled past its manager: a file of SQLite, or a database in
a PostgreSQL server that the process of the tests starts for all of its fleets.

The variable FAULTS_DATABASE of this process chooses: sqlite, which is the default, or postgresql.
"""

import asyncio
import atexit
import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.support.databases.cutting_proxy import CuttingProxy, proxy_of
from tests.support.databases.postgresql_server import (
    PostgresqlServer,
    find_programs,
    folder_for_servers,
)
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.postgresql.postgresql_transaction import (
    PostgresqlTransaction,
    adapt,
    rows,
)
from tui_manager.storage.engine.transaction import Row
from tui_manager.storage.maintenance.check import check_database, contradictions

CHOICE = "FAULTS_DATABASE"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
_ANSWERS_WITHIN = 30.0  # seconds; the server may be away for one of the faults
_ENDED = (psycopg.OperationalError, psycopg.InterfaceError)  # of a connection, by a fault
_COUNTED = re.compile(r"\b(FROM|JOIN) (tasks|commands)\b")


class FleetDatabase(Protocol):
    """What a fleet and the faults need of a database.

    Attributes:
        there: cleared while a fault has stopped its server. Nobody queries it then: a query would
            block the loop that starts the server again.
    """

    there: asyncio.Event

    @property
    def settings(self) -> Mapping[str, str]:
        """What the manager's settings say of it, as TOML."""
        ...

    def door(self) -> tuple[CuttingProxy | None, str]:
        """A new proxy before it, if there can be one, and its URL through this proxy."""
        ...

    def query(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        """The rows of a statement, whose values are written `?`."""
        ...

    def release(self) -> None:
        """Before a manager starts or ends: it repairs or tidies a file only if it is the only one
        that has it open."""
        ...

    def findings(self) -> list[str]:
        """What `tui-manager check` finds in it."""
        ...

    def locked(self) -> contextlib.AbstractContextManager[bool]:
        """Locks it for the block; False: it is in use now."""
        ...

    def back_up(self) -> None:
        """Makes a copy of how it is now."""
        ...

    def restore(self) -> None:
        """Puts the copy back. Its manager does not run."""
        ...

    def close(self) -> None:
        """It is not needed any more."""
        ...


def chosen_database() -> str:
    """What the fleets of this process have their databases in."""
    return os.environ.get(CHOICE, SQLITE)


def fleet_database(folder: Path) -> FleetDatabase:
    """The database of a fleet whose folder this is."""
    if chosen_database() == POSTGRESQL:
        return PostgresqlOfFleet(folder)
    return SqliteOfFleet(folder / "state")


class SqliteOfFleet:
    """The file in the manager's state folder; implements FleetDatabase."""

    settings: Mapping[str, str] = {}

    def __init__(self, state_dir: Path) -> None:
        self.there = asyncio.Event()
        self.there.set()
        self.path = state_dir / DATABASE
        self._reading: sqlite3.Connection | None = None
        self._backup = state_dir.parent / "backup.db"

    def door(self) -> tuple[CuttingProxy | None, str]:
        """See FleetDatabase."""
        raise AssertionError(f"Several managers need {CHOICE}={POSTGRESQL}.")

    def query(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        """See FleetDatabase."""
        if self._reading is None:  # it is kept, because a fleet is looked at many times a second
            uri = f"file:{self.path}?mode=ro"
            self._reading = sqlite3.connect(uri, uri=True, timeout=30)
            self._reading.row_factory = sqlite3.Row
        return self._reading.execute(sql, values).fetchall()

    def release(self) -> None:
        """See FleetDatabase."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def findings(self) -> list[str]:
        """See FleetDatabase."""
        return [finding.text for finding in check_database(self.path).findings]

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """See FleetDatabase."""
        locking = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        with contextlib.closing(locking):
            try:
                locking.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                yield False
                return
            yield True
            locking.execute("ROLLBACK")

    def back_up(self) -> None:
        """See FleetDatabase."""
        with (
            contextlib.closing(sqlite3.connect(self.path)) as source,
            contextlib.closing(sqlite3.connect(self._backup)) as target,
        ):
            source.backup(target)

    def restore(self) -> None:
        """See FleetDatabase."""
        self.release()
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        shutil.copyfile(self._backup, self.path)

    def close(self) -> None:
        """See FleetDatabase."""
        self.release()


class PostgresqlOfFleet:
    """A database of its own in the server of this process; implements FleetDatabase."""

    def __init__(self, folder: Path, server: PostgresqlServer | None = None) -> None:
        """
        Args:
            server: None: that of this process.
        """
        self.server = server or _server()
        self.there = asyncio.Event()
        self.there.set()
        self._reading: psycopg.Connection[Any] | None = None
        self.name = re.sub(r"\W", "_", f"fleet_{folder.name}_{time.monotonic_ns()}").lower()
        self._backup = folder / "backup.dump"
        self._administer(f"CREATE DATABASE {self.name}")

    @property
    def url(self) -> str:
        """What a client connects to."""
        return self.server.url(self.name)

    @property
    def settings(self) -> Mapping[str, str]:
        """See FleetDatabase."""
        return {"database": f'"{self.url}"'}

    def door(self) -> tuple[CuttingProxy | None, str]:
        """See FleetDatabase."""
        return proxy_of(self.url)

    def query(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        """See FleetDatabase. The counters of tasks and commands are in views."""
        counted = _COUNTED.sub(r"\1 counted_\2", sql)
        try:
            return self._read(counted, values)
        except _ENDED:
            self._forget_connection()
            return self._read(counted, values)

    def release(self) -> None:
        """See FleetDatabase."""

    def findings(self) -> list[str]:
        """See FleetDatabase."""
        with self._transaction() as tx:
            tx.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return [finding.text for finding in contradictions(tx)]

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """See FleetDatabase."""
        with self._transaction() as tx:
            tx.execute("BEGIN")
            tx.execute("LOCK TABLE tasks, command_hosts IN SHARE ROW EXCLUSIVE MODE")
            yield True

    def back_up(self) -> None:
        """See FleetDatabase."""
        self._program("pg_dump", "--format=custom", f"--file={self._backup}")

    def restore(self) -> None:
        """See FleetDatabase."""
        self._administer(f"DROP DATABASE {self.name} WITH (FORCE)")
        self._administer(f"CREATE DATABASE {self.name}")
        self._program("pg_restore", self._backup)

    def end_connections(self) -> int:
        """Ends those of the manager; how many there were."""
        with self._transaction() as tx:
            ended = tx.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return len(ended.fetchall())

    def set_read_only(self, *, on: bool) -> None:
        """Whether the transactions that begin from now on may write."""
        word = "on" if on else "off"
        self._administer(f"ALTER SYSTEM SET default_transaction_read_only = {word}")
        self._administer("SELECT pg_reload_conf()")

    def close(self) -> None:
        """See FleetDatabase. If the server has not come back from a fault, it is started again.

        Raises:
            AssertionError: it does not start, or does not remove the database.
        """
        self._forget_connection()
        start_server(self.server)
        try:
            self._administer(f"DROP DATABASE {self.name} WITH (FORCE)")
        except psycopg.Error as error:
            raise AssertionError(f"The database {self.name} cannot be removed: {error}") from error

    def _administer(self, sql: str) -> None:
        options = "-c default_transaction_read_only=off"
        url = self.server.url()
        with psycopg.connect(url, autocommit=True, options=options) as connection:
            connection.execute(sql.encode())

    def _read(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        """On a connection that is kept, because a fleet is looked at many times a second."""
        if self._reading is None:
            self._reading = self._connect()
            adapt(self._reading)
        return PostgresqlTransaction(self._reading).execute(sql, tuple(values)).fetchall()

    def _forget_connection(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[PostgresqlTransaction]:
        with contextlib.closing(self._connect()) as connection:
            adapt(connection)
            yield PostgresqlTransaction(connection)

    def _connect(self) -> "psycopg.Connection[Any]":
        deadline = time.monotonic() + _ANSWERS_WITHIN
        while True:
            try:
                return psycopg.connect(self.url, autocommit=True, row_factory=rows)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _program(self, name: str, *options: str | Path) -> None:
        command: list[str | Path] = [
            find_programs() / name,
            f"--dbname={self.server.url(self.name)}",
            *options,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def start_server(server: PostgresqlServer) -> None:
    """Starts a server if it does not run, and once more if it did not start.

    Raises:
        AssertionError: it has not started twice.
    """
    if server.process is not None and server.process.poll() is None:
        return
    try:
        server.start()
    except AssertionError as error:
        sys.stdout.write(f"PostgreSQL is started once more, because: {error}\n")
        server.stop(signal.SIGQUIT)
        server.start()


def _server() -> PostgresqlServer:
    """That of this process, running."""
    server = _only_server()
    start_server(server)
    return server


@cache
def _only_server() -> PostgresqlServer:
    """It ends with this process, and its folder goes."""
    folder = folder_for_servers() / f"tui-pg-faults-{os.getpid()}"
    server = PostgresqlServer(folder, {"max_connections": "100"})

    def end() -> None:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return server
