"""Which engine the database of a test is on: SQLite in the test's folder, or PostgreSQL.

Tests of `tests/service` and `tests/storage` run on both. A test opens its database at
`database_in(folder)` and knows nothing else about the engine. `pytest -m postgresql` runs those on
PostgreSQL, `-m "not postgresql"` all others.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.support.databases.kept_connections import kept_connections
from tests.support.databases.new_databases import make_file, migrated_file
from tests.support.databases.postgresql import connect_to, copy_rows, dump, postgresql_database
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance.backup import back_up
from tui_manager.storage.maintenance.check import CheckResult, check_database, check_postgresql

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_TESTS = Path(__file__).parents[2]
# The modules that are about SQLite, and why they have no counterpart for PostgreSQL.
SQLITE_ONLY = {
    "storage/aiosqlite_adapter": "private parts of SQLite's client",
    "storage/maintenance/backup": "PostgreSQL has its own tools",
    "storage/maintenance/check": "a damaged file",
    "storage/database": "the file, its locks and its migrations",
    "storage/maintenance/migrate_to_postgresql": "from one to the other",
    "storage/database_file": "a file that was moved away",
    "storage/views/query_plans": "the plans of SQLite",
    "storage/sql_of_engines": "compares the two",
    "storage/write_ahead_log": "the log beside the file",
}


@dataclass
class _Databases:
    """Those of PostgreSQL that the running test uses, each by the folder of its manager."""

    engine: str = SQLITE
    used: dict[Path, tuple[str, contextlib.ExitStack]] = field(default_factory=dict)


_running = _Databases()


def database_in(folder: Path) -> Path | str:
    """What `open_database` opens for a manager with its state in `folder`: in one test, the same
    folder means the same database."""
    if _running.engine == SQLITE:
        file = folder / DATABASE
        make_file(file)
        return file
    if folder not in _running.used:
        stack = contextlib.ExitStack()
        _running.used[folder] = stack.enter_context(postgresql_database()), stack
    return _running.used[folder][0]


def remove_database(folder: Path) -> None:
    """Gives a database of PostgreSQL back before the test ends, for tests that use many."""
    if folder in _running.used:
        _, stack = _running.used.pop(folder)
        stack.close()


@contextlib.contextmanager
def open_transaction() -> Iterator[Transaction]:
    """A transaction on a database without rows, of which nothing is kept."""
    if _running.engine == SQLITE:
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as tx:
            tx.deserialize(migrated_file())
            tx.row_factory = sqlite3.Row
            yield tx
    else:
        with postgresql_database() as url, contextlib.closing(connect_to(url)) as connection:
            connection.execute("BEGIN")
            yield PostgresqlTransaction(connection)
            connection.rollback()


def copy_database(source: Path, target: Path) -> None:
    """Copies the database of one folder to another one, where is none; a manager may be using the
    source."""
    if _running.engine == SQLITE:
        back_up(source / DATABASE, target / DATABASE)
    else:
        copy_rows(str(database_in(source)), str(database_in(target)))


def check(folder: Path) -> CheckResult:
    """What `tui-manager check` finds."""
    if _running.engine == SQLITE:
        return check_database(folder / DATABASE)
    return check_postgresql(str(database_in(folder)))


def holding(folder: Path, value: bytes) -> list[str]:
    """Where in the database a value stands: the files of SQLite, or `dump`."""
    if _running.engine == SQLITE:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        assert DATABASE in files
    else:
        files = {"dump": dump(str(database_in(folder)))}
    return [name for name, data in files.items() if value in data or value.hex().encode() in data]


def storage_failure(text: str) -> Exception:
    """What the engine raises if it cannot go on."""
    if _running.engine == SQLITE:
        return sqlite3.OperationalError(text)
    return psycopg.errors.DiskFull(text)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine of the test."""
    _running.engine = getattr(request, "param", SQLITE)
    try:
        with kept_connections() if _running.engine == POSTGRESQL else contextlib.nullcontext():
            yield _running.engine
    finally:
        for folder in list(_running.used):
            remove_database(folder)
        _running.engine = SQLITE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test on both engines, without those that are about one of them."""
    module = Path(metafunc.module.__file__ or "")
    folder = module.parent.relative_to(_TESTS).as_posix()
    name = f"{folder}/{module.stem.removeprefix('test_')}"
    of_one = name in SQLITE_ONLY or name.startswith("storage/postgresql")
    if not of_one and not metafunc.definition.get_closest_marker("sqlite"):
        postgresql = pytest.param(POSTGRESQL, marks=pytest.mark.postgresql)
        only = metafunc.definition.get_closest_marker("postgresql")
        engines = (postgresql,) if only else (SQLITE, postgresql)
        metafunc.parametrize("engine", engines, indirect=True)
