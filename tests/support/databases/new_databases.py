"""New databases of SQLite in tests: copies of one that was migrated once in each process. To run
all migrations takes forty times as long. Programs that tests start do the same if they are forked
(`program_forker.py`), also with failpoints, which no test arms before its manager listens; those in
a process of their own migrate."""

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tui_manager.storage.engine.sqlite import connection, migrations

_close_to_others = connection._close_to_others


@functools.cache
def migrated_file() -> bytes:
    """A file with the present schema and without rows of a manager."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrations.migrate(made)
        return made.serialize()


@functools.cache
def _file_with_log() -> bytes:
    """The same for a file on disk, which has a write-ahead log."""
    made = bytearray(migrated_file())
    made[18:20] = 2, 2  # the versions of the format for writing and reading
    return bytes(made)


def make_file(path: Path) -> None:
    """Makes a new database, unless there is a file already."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(_file_with_log())


def _make_private(path: Path) -> None:
    make_file(path)
    _close_to_others(path)


def copy_from_now_on() -> None:
    """Managers of this process and of its forks copy new databases."""
    _file_with_log()
    _copying().start()


@contextlib.contextmanager
def copied_databases() -> Iterator[None]:
    """Managers of this process copy new databases."""
    with _copying():
        yield


def _copying() -> Any:
    return patch.object(connection, "_close_to_others", _make_private)


@contextlib.contextmanager
def migrated_databases() -> Iterator[None]:
    """They run all migrations, as in production."""
    with patch.object(connection, "_close_to_others", _close_to_others):
        yield
