"""New databases of SQLite in tests: copies of one that was migrated once in each process. To run
all migrations takes forty times as long. Programs that tests start do the same if they are forked
(`program_forker.py`), also with failpoints, which no test arms before its manager listens; those in
a process of their own migrate."""

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from unittest.mock import patch

from tui_manager.storage.engine.sqlite import migrations, sqlite_engine

_run_migrations = migrations.migrate


@functools.cache
def migrated_file() -> bytes:
    """A file with the present schema and without rows of a manager."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        _run_migrations(made)
        return made.serialize()


def migrate(tx: sqlite3.Connection) -> None:
    """Brings a database to the present schema: a new one at once, an older one by migrations."""
    if tx.execute("PRAGMA user_version").fetchone()[0]:
        _run_migrations(tx)
        return
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.deserialize(migrated_file())
        made.backup(tx)


def copy_from_now_on() -> None:
    """Managers of this process and of its forks copy new databases."""
    migrated_file()
    patch.object(sqlite_engine, "migrate", migrate).start()


@contextlib.contextmanager
def copied_databases() -> Iterator[None]:
    """Managers of this process copy new databases."""
    with patch.object(sqlite_engine, "migrate", migrate):
        yield


@contextlib.contextmanager
def migrated_databases() -> Iterator[None]:
    """They run all migrations, as in production."""
    with patch.object(sqlite_engine, "migrate", _run_migrations):
        yield
