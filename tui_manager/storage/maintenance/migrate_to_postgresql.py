"""Migrates a database of SQLite into an empty one of PostgreSQL, whole or not at all.

The file is only read. Everything is written in one transaction, and read back before it is
committed.
"""

import contextlib
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.storage.engine.database_url import client_needed
from tui_manager.storage.engine.sqlite.connection import to_storage_error
from tui_manager.storage.engine.sqlite.migrations import check_version, migrate, migrations
from tui_manager.storage.engine.sqlite.read_only import read_only
from tui_manager.storage.maintenance.migrated_rows import (
    COUNTED,
    COUNTERS,
    SET_BY_TRIGGERS,
    TABLES,
    Row,
    RowSum,
    TextCleaner,
    source_query,
)
from tui_manager.storage.tables.manager import manager_state

if TYPE_CHECKING:
    from tui_manager.storage.engine.postgresql.bulk_load import BulkLoad

Progress = Callable[[str, str, int, int], None]
_BATCH = 50_000  # rows of one COPY; the triggers of the table run once for each
_OFTEN = 5_000  # rows between two words on the progress
_PART_DAYS = 400  # older output shares one part
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_PRUNED = {
    "tasks": "WHERE pruned_at IS NULL",
    "commands": "WHERE task_id IN (SELECT id FROM tasks WHERE pruned_at IS NULL)",
}
_PREFIX = re.compile("[0-9a-f]{7}")
_PREFIXES = """
SELECT DISTINCT substr(execution_id, 1, 7) FROM command_hosts WHERE stdout_bytes + stderr_bytes > 0
"""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was migrated.

    Attributes:
        manager_id: of the manager whose database it is; empty: it has none.
        rows: of each table.
        replaced: how many texts of each column had the character NUL.
        recounted: tasks and commands whose counters were wrong in the file.
    """

    manager_id: str
    rows: dict[str, int]
    replaced: dict[str, int]
    recounted: int


def migrate_to_postgresql(source: Path, url: str, folder: Path, progress: Progress) -> Migrated:
    """Migrates the database at `source`, which nobody may be using, into the empty one at `url`.

    Args:
        folder: for a copy of a database that has an older schema.
        progress: called with what is done ("write" or "compare"), the table, the rows that are
            done, and all rows.

    Raises:
        AlreadyRunningError: a manager uses the database at `url`.
        InvalidInputError: that database has rows; or `url` cannot be read, or the client is not
            installed; or the file is not of this program, or damaged.
        NotFoundError: there is no such file.
        StorageError: one of both cannot be read or written. Nothing was kept.
    """
    with client_needed():
        from tui_manager.storage.engine.postgresql.bulk_load import bulk_load
    _check_source(source)
    with _of_present_schema(source, folder) as path, bulk_load(url) as target:
        migrated = read_only(path, lambda tx: _Migration(tx, target, progress).run())
        target.commit()
        target.mark_as_visible(TABLES)
        return migrated


def _check_source(source: Path) -> None:
    """Raises InvalidInputError unless the file is a sound database of this program."""

    def look(tx: sqlite3.Connection) -> None:
        check_version(tx, source)
        if not tx.execute("PRAGMA user_version").fetchone()[0]:
            raise StorageError(f"{source} is empty, and no database of tui-manager.")
        found = tx.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok" or tx.execute("PRAGMA foreign_key_check").fetchone():
            raise StorageError(
                f"{source} is damaged; `tui-manager check {source}` says where. Put a backup back."
            )

    try:
        read_only(source, look)
    except StorageError as error:
        raise InvalidInputError("from", str(error)) from error


@contextlib.contextmanager
def _of_present_schema(source: Path, folder: Path) -> Iterator[Path]:
    """The file itself; or a copy that is brought to this program's schema, for an older one."""
    version = read_only(source, lambda tx: tx.execute("PRAGMA user_version").fetchone()[0])
    if version == len(migrations()):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix=".migrate-", dir=folder) as made:
        path = Path(made) / source.name
        try:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")  # nobody needs it after a power cut
                read_only(source, lambda tx: tx.backup(copy))
                copy.execute("PRAGMA journal_mode = MEMORY")
                migrate(copy)
        except sqlite3.Error as error:
            raise to_storage_error(error, path) from error
        yield path


class _Migration:
    """One attempt, within one transaction on each side."""

    def __init__(self, tx: sqlite3.Connection, target: "BulkLoad", progress: Progress) -> None:
        self._tx = tx
        self._target = target
        self._progress = progress
        self._cleaner = TextCleaner()
        tx.row_factory = None  # tuples

    def run(self) -> Migrated:
        """Writes all rows, and compares them with the file. Does not commit."""
        self._target.begin()
        self._check_empty()
        self._make_parts()
        columns = {table: self._columns(table) for table in TABLES}
        written = {table: self._write(table, columns[table]) for table in TABLES}
        for table in TABLES:
            self._compare(table, columns[table], written[table])
        recounted = sum(map(self._wrong_counters, COUNTED))
        for table in TABLES:
            self._continue_ids(table)
            self._target.tx.execute(f"ANALYZE {table}")
        rows = {table: each.count for table, each in written.items()}
        manager_id = manager_state.known_manager_id(self._target.tx)
        return Migrated(manager_id, rows, self._cleaner.changed, recounted)

    def _check_empty(self) -> None:
        """Raises InvalidInputError if a table has rows."""
        tx = self._target.tx
        used = [
            table
            for table in TABLES
            if tx.execute(f"SELECT EXISTS (SELECT FROM {table})").fetchone()[0]
        ]
        if used:
            raise InvalidInputError(
                "database",
                f"The {self._target.name} is not empty: there are rows in {', '.join(used)}. Name "
                "an empty database, or drop this one and create it again.",
            )

    def _make_parts(self) -> None:
        """Makes a part of the output for each day of which there is some."""
        today = datetime.now(UTC) - _EPOCH
        days = set()
        for (prefix,) in self._tx.execute(_PREFIXES):  # the upper bits of the milliseconds
            if _PREFIX.fullmatch(prefix):
                first = int(prefix, 16) << 20
                days |= {timedelta(milliseconds=at) // _DAY for at in (first, first + (1 << 20))}
        for day in sorted(days):
            if today - _PART_DAYS * _DAY < day * _DAY <= today + _DAY:
                values = {"day": day * _DAY // timedelta(microseconds=1)}
                self._target.tx.execute("SELECT make_output_partitions(:day, 0)", values)

    def _columns(self, table: str) -> dict[str, str]:
        derived = SET_BY_TRIGGERS.get(table, ())
        found = self._target.columns(table)
        return {name: kind for name, kind in found.items() if name not in derived}

    def _write(self, table: str, columns: dict[str, str]) -> RowSum:
        """Writes the rows of a table, and sums them up."""
        total = self._tx.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        written = RowSum()
        found = self._tx.execute(source_query(table, columns))
        rows = self._summed(self._cleaner.clean(table, columns, found), written, table, total)
        for first in rows:
            self._target.write(table, columns, chain((first,), islice(rows, _BATCH - 1)))
        if written.count != total:
            raise StorageError(f"{total:,} rows of {table} are counted, {written.count:,} found.")
        return written

    def _summed(
        self, rows: Iterator[Row], into: RowSum, table: str, total: int, what: str = "write"
    ) -> Iterator[Row]:
        for row in rows:
            into.add(row)
            if not into.count % _OFTEN or into.count == total:
                self._progress(what, table, into.count, total)
            yield row

    def _compare(self, table: str, columns: dict[str, str], written: RowSum) -> None:
        """Raises StorageError unless the table has exactly the rows that were written."""
        found = RowSum()
        rows = self._target.read(table, columns)
        for _ in self._summed(rows, found, table, written.count, "compare"):
            pass
        if found != written:
            raise StorageError(
                f"The rows of {table} in the {self._target.name} are not those of the file: "
                f"{found.count:,} instead of {written.count:,}, or with other values. Nothing was "
                "kept."
            )

    def _wrong_counters(self, table: str) -> int:
        """How many rows of the file have other counters than PostgreSQL has counted. Tasks that are
        being pruned have lost some of their rows, and are left out."""
        columns = dict.fromkeys(("id", *COUNTERS), "bigint")
        rest = f"{_NOT_PRUNED[table]} ORDER BY id"
        ours = self._tx.execute(f"SELECT {', '.join(columns)} FROM {table} {rest}")
        theirs = self._target.read(f"counted_{table} {rest}", columns)
        return sum(one != other for one, other in zip(ours, theirs, strict=True))

    def _continue_ids(self, table: str) -> None:
        """Lets new rows have ids that no row of the file had, also none that was removed."""
        tx = self._target.tx
        if "id" not in self._target.columns(table):
            return
        values = {"table": table}
        name = tx.execute("SELECT pg_get_serial_sequence(:table, 'id')", values).fetchone()[0]
        if name:
            (newest,) = self._tx.execute(
                f"SELECT max((SELECT coalesce(max(id), 0) FROM {table}), coalesce("
                "(SELECT seq FROM sqlite_sequence WHERE name = :table), 0))",
                values,
            ).fetchone()
            tx.execute(f"ALTER SEQUENCE {name} RESTART WITH {newest + 1}")
