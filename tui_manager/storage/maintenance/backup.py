"""Backup: copies a database that a manager may be using, as of one moment, into a single file."""

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.storage.engine.sqlite.read_only import read_only
from tui_manager.storage.tables.tasks import secrets

_KINDS = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFSOCK: "a socket",
}


def back_up(source: Path, target: Path, *, overwrite: bool = False) -> int:
    """Copies `source` to `target` (mode 0600), durably. `target` is never an incomplete copy.

    Args:
        overwrite: whether a regular file may be replaced; nothing else ever is.

    Returns:
        The size of the copy in bytes.

    Raises:
        NotFoundError: there is no database `source`.
        InvalidInputError: `target` is there already, is no regular file or no link to one, or is
            the database itself.
        StorageError: `source` cannot be read, or `target` not written.
    """
    try:
        file = _file_of(target)
        _check_target(source, file, overwrite)
        partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
        with _removed_unless_renamed(partial):
            read_only(source, lambda tx: _copy(tx, partial))
            _sync(partial)
            _check_target(source, file, overwrite)
            if overwrite:
                partial.rename(file)
            else:
                _rename_to_new(partial, file)
            _sync(file.parent)
        return file.stat().st_size
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}.") from error


def _file_of(target: Path) -> Path:
    """The file to which `target` leads, without symbolic links."""
    try:
        found = target.stat()
    except FileNotFoundError:
        if target.is_symlink():
            raise InvalidInputError(
                "file",
                f"{target} is a symbolic link to {target.readlink()}, which is not there; name "
                "that file.",
            ) from None
        return target
    _check_kind(target, found)
    return target.resolve()


def _check_kind(target: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise InvalidInputError("file", f"{target} is a folder; name a file in it.")
    if not stat.S_ISREG(found.st_mode):
        what = _KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
        raise InvalidInputError("file", f"{target} is {what}; name a regular file, or a new one.")


def _check_target(source: Path, target: Path, overwrite: bool) -> None:
    """Raises InvalidInputError unless a copy may have the name `target`, which may have become a
    link since it was resolved."""
    with contextlib.suppress(FileNotFoundError):
        found = target.lstat()
        _check_kind(target, found)
        if source.exists() and os.path.samestat(found, source.stat()):
            raise InvalidInputError("file", f"{target} is the database itself; name another file.")
        if not overwrite:
            raise _there_already(target)
    for end in ("-wal", "-journal"):
        if (beside := target.with_name(target.name + end)).exists():
            raise InvalidInputError("file", f"A program uses {target}: {beside.name} is there.")


def _there_already(target: Path) -> InvalidInputError:
    return InvalidInputError(
        "file", f"{target} is there already; name another file, or say --force."
    )


def _rename_to_new(partial: Path, target: Path) -> None:
    """Gives the copy its name, unless a file has that name now."""
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise _there_already(target) from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        partial.rename(target)  # a file system without hard links


@contextlib.contextmanager
def _removed_unless_renamed(partial: Path) -> Iterator[None]:
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    try:
        yield
    finally:
        for end in ("", "-journal"):
            partial.with_name(partial.name + end).unlink(missing_ok=True)


def _copy(tx: sqlite3.Connection, partial: Path) -> None:
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


def _erase_secrets(copy: sqlite3.Connection) -> None:
    """A copy leaves the state folder, in which the key of the secrets is, so it has no secrets, not
    even sealed. Nothing of them stays in the file or in a journal beside it."""
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
