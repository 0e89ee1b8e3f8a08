"""Brings a database to this program's schema: numbered files under `PRAGMA user_version`."""

import sqlite3
from pathlib import Path

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.numbered_files import numbered_files
from tui_manager.storage.engine.sqlite.connection import OLDEST_SQLITE


def migrations() -> list[tuple[int, str]]:
    """All migrations as (number, SQL), in order, from 1 on without holes."""
    return list(numbered_files("sqlite"))


def check_sqlite() -> None:
    """Raises StorageError when this Python's SQLite is too old for the schema."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StorageError(
            f"This Python has SQLite {sqlite3.sqlite_version}; tui-manager needs {needed} or newer."
        )


def check_version(tx: sqlite3.Connection, path: Path) -> None:
    """Raises StorageError when the database is from a newer program, or of another one.

    Nothing is written: such a database is left alone.
    """
    newest = len(migrations())
    version = tx.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise StorageError(
            f"{path} was written by a newer tui-manager (schema {version}; this program knows "
            f"{newest}). Start that one, or name another --state-dir."
        )
    if not version and tx.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StorageError(f"{path} is a database of another program. Name another --state-dir.")


def migrate(tx: sqlite3.Connection) -> None:
    """Runs what is missing, each migration in a transaction of its own."""
    version = tx.execute("PRAGMA user_version").fetchone()[0]
    for number, sql in migrations()[version:]:
        tx.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
