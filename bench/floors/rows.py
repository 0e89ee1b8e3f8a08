"""The floor under storage: the same rows into a bare SQLite file, without triggers or indexes."""

import sqlite3
import time
import uuid
from pathlib import Path

_BATCH = 500  # rows of a transaction, as the manager's writer has them at most
_CHUNK = 64 * 1024  # bytes of a row of output
_AT_ONCE = 16  # such rows of a transaction


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS results (id INTEGER PRIMARY KEY, execution_id TEXT,"
        " task_id INTEGER, host INTEGER, status TEXT, reason TEXT, exit_code INTEGER,"
        " sent_at INTEGER, started_at INTEGER, finished_at INTEGER, stdout_bytes INTEGER)"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS output (id INTEGER PRIMARY KEY, host INTEGER,"
        " stream INTEGER, at INTEGER, data BLOB)"
    )
    return connection


def results_per_second(folder: Path, count: int) -> float:
    """How many results a second a bare file takes, in full batches."""
    connection = _open(folder / "floor.db")
    rows = [
        (str(uuid.uuid4()), 1, number, "completed", "", 0, number, number, number, 40)
        for number in range(count)
    ]
    began = time.monotonic()
    for first in range(0, count, _BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO results VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows[first : first + _BATCH],
        )
        connection.execute("COMMIT")
    seconds = time.monotonic() - began
    connection.close()
    return count / seconds


def bytes_per_second(folder: Path, size: int) -> float:
    """How many bytes of output a second a bare file takes, in whole chunks."""
    connection = _open(folder / "floor.db")
    chunk = bytes(_CHUNK)
    count = max(1, size // _CHUNK)
    began = time.monotonic()
    for first in range(0, count, _AT_ONCE):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO output VALUES (NULL, 1, 1, ?, ?)",
            [(number, chunk) for number in range(first, min(count, first + _AT_ONCE))],
        )
        connection.execute("COMMIT")
    seconds = time.monotonic() - began
    connection.close()
    return count * _CHUNK / seconds


def commit_seconds(folder: Path, count: int) -> list[float]:
    """How long a transaction of one row takes, of so many."""
    connection = _open(folder / "floor.db")
    taken = []
    for number in range(count):
        began = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO results (host) VALUES (?)", (number,))
        connection.execute("COMMIT")
        taken.append(time.monotonic() - began)
    connection.close()
    return taken
