"""How a connection is opened, and what its errors mean to an operator."""

import sqlite3
from functools import partial
from pathlib import Path
from urllib.parse import quote

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.sqlite.aiosqlite_adapter import StorageConnection

OLDEST_SQLITE = (3, 37)  # STRICT tables
LOCK_TIMEOUT = 10_000  # milliseconds to wait for another process's lock


def open_connection(path: Path, *, read_only: bool) -> StorageConnection:
    """A connection to the database, to be awaited. One that writes creates the file.

    It reads the schema, which takes a millisecond, when it is used first.
    """
    return StorageConnection(partial(_connect, path, read_only), partial(_set_up, read_only))


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    if not read_only:
        _close_to_others(path)
    connection = sqlite3.connect(
        f"file:{quote(bytes(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=LOCK_TIMEOUT / 1000,
        cached_statements=256,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute("PRAGMA secure_delete = ON")  # erased secrets are overwritten
            # A unit of work can be undone alone, so SQLite keeps a copy of each page that it
            # changes. In a file, these copies would be most of what is written.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # see write_ahead_log.py
        # SQLite opens the log, or creates it, at the first read. That must be now: later, another
        # folder may be at its path.
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _set_up(read_only: bool, connection: sqlite3.Connection) -> None:
    """What needs the schema."""
    connection.execute("PRAGMA cache_size = -32768")
    if not read_only:
        connection.execute("PRAGMA synchronous = FULL")


def _close_to_others(path: Path) -> None:
    """Creates the file, or takes from other users the right to read it: a restored backup may be
    readable by all. SQLite gives the files that it creates beside it the same mode."""
    path.touch(mode=0o600)
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def is_storage_failure(error: Exception) -> bool:
    """Whether the state of the database prevented a statement; False: the statement is wrong."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error,
        sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError,
    )


def to_storage_error(error: Exception, path: Path) -> StorageError:
    """What an error of SQLite or of the file system means to an operator."""
    text = str(error)
    if isinstance(error, OSError):
        return StorageError(f"{path} cannot be opened for writing: {error.strerror}.")
    if "full" in text:
        return StorageError(f"The disk that holds {path} is full; free some space. ({text})")
    if "locked" in text or "busy" in text:
        return StorageError(f"{path} is locked by another program; close it. ({text})")
    if "readonly" in text or "unable to open" in text:
        return StorageError(f"{path} cannot be opened for writing; check its owner. ({text})")
    if "not a database" in text or "malformed" in text:
        return StorageError(f"{path} is damaged or no database; put a backup back. ({text})")
    return StorageError(f"{path}: {text}")
