"""What one group commit costs: units of work, each in a savepoint, in one transaction that is
durable. Bare SQLite beside PostgreSQL with psycopg, on the same disk in the same minute.

`python -m bench.floors.group_commit` prints the table. A unit is what a report of one result does:
one command host is updated, and a line of its output is stored.
"""

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.support.databases.postgresql_server import PostgresqlServer, folder_for_servers

SIZES = (1, 10, 100, 500)  # units of a transaction
ROUNDS = 7
ROWS = 20_000
_SECONDS = 0.4  # of one measurement, at least
_LINE = b"web01: all is well and nothing was changed\n"
_SCHEMA = (
    "CREATE TABLE command_hosts (id {key}, execution_id {text} NOT NULL UNIQUE, task_id {number},"
    " host {number}, status {text}, exit_code {number}, started_at {number}, finished_at {number})",
    "CREATE INDEX command_hosts_of_task ON command_hosts (task_id, status, id)",
    "CREATE TABLE output_chunks (id {key}, task_id {number}, command_host_id {number},"
    ' stream {number}, "offset" {number}, data {bytes}, stored_at {number})',
    "CREATE INDEX output_chunks_of_task ON output_chunks (task_id, id)",
)
_FILL = (
    "INSERT INTO command_hosts (execution_id, task_id, host, status) VALUES ({0}, {0}, {0}, {0})"
)
_UPDATE = "UPDATE command_hosts SET status = {0}, exit_code = {0}, finished_at = {0} WHERE id = {0}"
_INSERT = (
    'INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", data, stored_at)'
    " VALUES (1, {0}, 1, 0, {0}, {0})"
)
_RELEASE, _SAVEPOINT, _BOTH = "RELEASE unit", "SAVEPOINT unit", "RELEASE unit; SAVEPOINT unit"
_UPDATE_PACKED = (
    "UPDATE command_hosts AS ch SET status = 'completed', exit_code = r.code, finished_at = r.at"
    " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS r (id, code, at) WHERE ch.id = r.id"
)
_INSERT_PACKED = (
    'INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", data, stored_at)'
    " SELECT 1, r.id, 1, 0, r.data, r.at"
    " FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[]) AS r (id, data, at)"
)
Transact = Callable[[list[int]], None]  # units by the number of their command host


def _units(connection: "sqlite3.Connection | psycopg.Connection", mark: str) -> Transact:
    """Each unit between a savepoint and its release, each statement waited for."""
    update, insert = _UPDATE.format(mark), _INSERT.format(mark)

    def transact(ids: list[int]) -> None:
        execute: Any = connection.execute
        execute("BEGIN")
        for number in ids:
            execute(_SAVEPOINT)
            assert execute(update, ("completed", 0, number, number)).rowcount == 1
            execute(insert, (number, _LINE, number))
            execute(_RELEASE)
        execute("COMMIT")

    return transact


def _joined(connection: psycopg.Connection) -> Transact:
    """The end of a savepoint and the next one in one message."""
    update, insert = _UPDATE.format("%s"), _INSERT.format("%s")

    def transact(ids: list[int]) -> None:
        execute: Any = connection.execute
        execute("BEGIN; SAVEPOINT unit", prepare=False)
        for number in ids:
            assert execute(update, ("completed", 0, number, number)).rowcount == 1
            execute(insert, (number, _LINE, number))
            execute(_BOTH, prepare=False)
        execute("COMMIT")

    return transact


def _without_savepoints(connection: psycopg.Connection) -> Transact:
    """What is left if savepoints are only made when a unit has failed."""
    update, insert = _UPDATE.format("%s"), _INSERT.format("%s")

    def transact(ids: list[int]) -> None:
        execute: Any = connection.execute
        execute("BEGIN")
        for number in ids:
            assert execute(update, ("completed", 0, number, number)).rowcount == 1
            execute(insert, (number, _LINE, number))
        execute("COMMIT")

    return transact


def _pipelined(connection: psycopg.Connection) -> Transact:
    """Only the answer to the update is waited for."""
    update, insert = _UPDATE.format("%s") + " RETURNING id", _INSERT.format("%s")

    def transact(ids: list[int]) -> None:
        execute: Any = connection.execute
        with connection.pipeline():
            execute("BEGIN")
            for number in ids:
                execute(_SAVEPOINT)
                assert execute(update, ("completed", 0, number, number)).fetchone() == (number,)
                execute(insert, (number, _LINE, number))
                execute(_RELEASE)
            execute("COMMIT")

    return transact


def _packed(connection: psycopg.Connection) -> Transact:
    """All rows in two statements, as reports that arrived together are stored."""

    def transact(ids: list[int]) -> None:
        execute: Any = connection.execute
        execute("BEGIN")
        execute(_UPDATE_PACKED, (ids, [0] * len(ids), ids))
        execute(_INSERT_PACKED, (ids, [_LINE] * len(ids), ids))
        execute("COMMIT")

    return transact


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(folder / "file.db", isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = FULL")
        types = {"key": "INTEGER PRIMARY KEY", "text": "TEXT", "number": "INTEGER", "bytes": "BLOB"}
        for statement in _SCHEMA:
            made.execute(statement.format(**types))
        made.execute("BEGIN")
        made.executemany(_FILL.format("?"), _rows())
        made.execute("COMMIT")
        yield made


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[psycopg.Connection]:
    settings = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "256MB"}
    server = PostgresqlServer(folder, settings)
    try:
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as made:
            made.prepare_threshold = 0
            key = "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
            types = {"key": key, "text": "text", "number": "bigint", "bytes": "bytea"}
            for statement in _SCHEMA:
                made.execute(statement.format(**types))
            made.cursor().executemany(_FILL.format("%s"), _rows())
            made.execute("ANALYZE")
            yield made
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _rows() -> list[tuple[str, int, int, str]]:
    return [(f"execution-{number}", number % 50, number, "running") for number in range(ROWS)]


def measure(transact: Transact, size: int) -> float:
    """Units a second in transactions of `size`."""
    count, began = 0, time.monotonic()
    while (seconds := time.monotonic() - began) < _SECONDS:
        first = count % (ROWS - size)
        transact(list(range(first + 1, first + size + 1)))
        count += size
    return count / seconds


def main() -> None:
    """Prints units a second, the best of some rounds, and their ratio to SQLite's."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _sqlite(Path(folder)) as file,
        _postgresql(folder_for_servers() / "tui-group-commit") as server,
    ):
        ways = {
            "SQLite": _units(file, "?"),
            "psycopg": _units(server, "%s"),
            "psycopg, savepoints joined": _joined(server),
            "psycopg, pipeline": _pipelined(server),
            "psycopg, no savepoints": _without_savepoints(server),
            "psycopg, packed": _packed(server),
        }
        best = {(way, size): 0.0 for way in ways for size in SIZES}
        for _ in range(ROUNDS):
            for size in SIZES:
                for way, transact in ways.items():
                    best[way, size] = max(best[way, size], measure(transact, size))
    print(f"| units a second, transactions of | {' | '.join(map(str, SIZES))} |")  # noqa: T201
    for way in ways:
        cells = [
            f"{best[way, size]:,.0f} ({best[way, size] / best['SQLite', size]:.2f})"
            for size in SIZES
        ]
        print(f"| {way} | {' | '.join(cells)} |")  # noqa: T201


if __name__ == "__main__":
    main()
