"""Reads a database that a manager may be using, without writing any file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from tui_manager.domain.errors import NotFoundError
from tui_manager.storage.engine.sqlite.connection import to_storage_error

T = TypeVar("T")
_LOCK_TIMEOUT = 10.0  # seconds to wait for another process's lock


def read_only(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Runs `work` on one consistent state of the database at `path` and returns what it returned.

    If no program has the database open, SQLite would create files beside it, unless it is told that
    nothing changes. If a program opens it meanwhile, `work` runs a second time.

    Raises:
        NotFoundError: there is no such file.
        StorageError: it cannot be read.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no database {path}. Name its folder with --state-dir.")
    if not _in_use(path):
        result = _run(path, "mode=ro&immutable=1", work)
        if not _in_use(path):
            return result
    return _run(path, "mode=ro", work)


def _in_use(path: Path) -> bool:
    """Whether a program has it open, or has ended without closing it."""
    return any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))


def _run(path: Path, options: str, work: Callable[[sqlite3.Connection], T]) -> T:
    try:
        with closing(
            sqlite3.connect(
                f"file:{quote(bytes(path))}?{options}",
                uri=True,
                isolation_level=None,
                timeout=_LOCK_TIMEOUT,
            )
        ) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            return work(connection)
    except sqlite3.Error as error:
        raise to_storage_error(error, path) from error
