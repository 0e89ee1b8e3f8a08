"""A connection that runs whole functions in its own thread, and how one is opened."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote

import aiosqlite

from tui_manager.domain.errors import StorageError

T = TypeVar("T")
Transaction = sqlite3.Connection
OLDEST_SQLITE = (3, 37)  # STRICT tables
BUSY = 10_000  # milliseconds to wait for another process's lock


class StorageConnection(aiosqlite.Connection):
    """An aiosqlite connection for work of many statements.

    A hop between threads costs more than a short statement, so a unit of work is a plain function
    that runs whole in the connection's thread.
    """

    async def __aenter__(self) -> Self:
        try:
            await self
        except BaseException:
            await asyncio.to_thread(self._thread.join)  # it speaks to this loop once more
            raise
        return self

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Calls `work` with the connection in its thread and returns what it returned."""
        result: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result


def open_connection(path: Path, *, read_only: bool) -> StorageConnection:
    """A connection to the database, to be awaited; the writer's creates the file."""
    return StorageConnection(partial(_connect, path, read_only), iter_chunk_size=64)


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    if not read_only:
        _close_to_others(path)
    connection = sqlite3.connect(
        f"file:{quote(bytes(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY / 1000,
        cached_statements=256,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32768")
        if not read_only:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")  # secrets: what is erased is gone
            # A unit of work can be undone alone: each page that it changes is kept as it was, which
            # else is a file of SQLite's and most of what is written.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # see log.py
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _close_to_others(path: Path) -> None:
    """Makes the file, or takes others the right to read it: a backup that was put back may be open.
    SQLite gives the files that it makes beside it the same mode."""
    path.touch(mode=0o600)
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def is_storage_failure(error: Exception) -> bool:
    """Whether it is the database's state that stands against a statement, not the statement."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error,
        sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError,
    )


def explain(error: Exception, path: Path) -> StorageError:
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
