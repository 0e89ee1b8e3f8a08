"""Copies a database that a manager may be using, whole and at one moment, into a single file."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.storage import secrets
from tui_manager.storage.connection import Transaction
from tui_manager.storage.read_only import read_only


def back_up(source: Path, target: Path, *, overwrite: bool = False) -> int:
    """Copies `source` to `target` (mode 0600), durably; half a copy never has that name.

    Args:
        overwrite: whether a file may be replaced.

    Returns:
        The size of the copy in bytes.

    Raises:
        NotFoundError: there is no database `source`.
        InvalidInputError: `target` is there already, is no file, or is the database itself.
        StorageError: `source` cannot be read, or `target` not written.
    """
    _check_target(source, target, overwrite)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with _removed_unless_renamed(partial):
            read_only(source, lambda tx: _copy(tx, partial))
            _sync(partial)
            _check_target(source, target, overwrite)
            partial.rename(target)
            _sync(target.parent)
        return target.stat().st_size
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}.") from error


def _check_target(source: Path, target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise InvalidInputError("file", f"{target} is a folder; name a file in it.")
    if target.exists() and source.exists() and target.samefile(source):
        raise InvalidInputError("file", f"{target} is the database itself; name another file.")
    if target.exists() and not overwrite:
        raise InvalidInputError(
            "file", f"{target} is there already; name another file, or say --force."
        )
    for end in ("-wal", "-journal"):
        if (beside := target.with_name(target.name + end)).exists():
            raise InvalidInputError("file", f"A program uses {target}: {beside.name} is there.")


@contextlib.contextmanager
def _removed_unless_renamed(partial: Path) -> Iterator[None]:
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    try:
        yield
    finally:
        for end in ("", "-journal"):
            partial.with_name(partial.name + end).unlink(missing_ok=True)


def _copy(tx: Transaction, partial: Path) -> None:
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is synced as a whole
            tx.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
            _erase_secrets(copy)
    except sqlite3.Error as error:
        full = "full" in str(error)
        hint = "the disk is full; free some space" if full else str(error)
        raise StorageError(f"The copy cannot be written to {partial.parent}: {hint}.") from error


def _erase_secrets(copy: Transaction) -> None:
    """A copy leaves the state folder, where the key to them lies: not even what is sealed goes with
    it. Nothing of it is left in the file, nor in a journal beside it."""
    if copy.execute("SELECT 1 FROM sqlite_schema WHERE name = 'secrets'").fetchone():
        copy.execute("PRAGMA journal_mode = MEMORY")
        copy.execute("PRAGMA secure_delete = ON")
        secrets.erase_all(copy)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
