"""Which tables, columns and values a migration to PostgreSQL takes."""

import contextlib
import hashlib
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.databases.postgresql import new_database
from tui_manager.storage.engine.numbered_files import numbered_files
from tui_manager.storage.engine.sqlite.migrations import migrate
from tui_manager.storage.maintenance.migrated_rows import (
    COUNTED,
    COUNTERS,
    JSON_COLUMNS,
    SET_BY_TRIGGERS,
    TABLES,
    RowSum,
    TextCleaner,
)

pytestmark = pytest.mark.sqlite("both engines are said here")


# Of several managers; empty on SQLite.
OF_SEVERAL = {"gateways", "leader", "gateway_vitals", "file_uploads", "file_pieces"}


@pytest.fixture
def new_url() -> Iterator[str]:
    """Of a database without tables."""
    with new_database() as made:
        yield made


def test_all_tables_and_columns_are_migrated(new_url: str) -> None:
    """A migration that adds one must say what becomes of it here."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ours = {
            table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for (table,) in connection.execute(tables).fetchall()
        }
    assert set(ours) - OF_SEVERAL == set(TABLES)
    assert len(TABLES) == len(set(TABLES))
    with psycopg.connect(new_url) as server:
        for _, sql in numbered_files("postgresql"):
            server.execute(sql.encode())
        rows = server.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND is_generated = 'NEVER'"
        ).fetchall()
        server.rollback()
    for table in TABLES:
        theirs = {column for name, column in rows if name == table}
        derived = set(SET_BY_TRIGGERS.get(table, ()))
        added = {"execution_id"} if table == "output_chunks" else set()
        counted = set(COUNTERS if table in COUNTED else ())
        assert theirs - derived - added == ours[table] - counted


def test_the_columns_with_json_are_those_of_the_schema() -> None:
    ((_, sql),) = numbered_files("postgresql")
    table, found = "", set()
    for line in sql.splitlines():
        if made := re.match(r"CREATE (?:UNLOGGED )?TABLE (\w+)", line):
            table = made[1]
        if column := re.match(r"    (\w+) text .*-- JSON", line):
            found.add((table, column[1]))
    found = {(name, column) for name, column in found if name not in OF_SEVERAL}
    assert found == {(name, column) for name, columns in JSON_COLUMNS.items() for column in columns}


def test_a_sum_of_rows_sees_each_difference_and_no_order() -> None:
    rows = [(1, "a", b"x", None), (2, "", b"", 3), (1, "a", b"x", None)]

    def total(*added: tuple[Any, ...]) -> RowSum:
        found = RowSum()
        for row in added:
            found.add(row)
        return found

    assert total(*rows) == total(*rows[::-1])
    assert total(*rows) != total(*rows[:2])
    assert total((1, "a")) != total((1, b"a"))
    assert total((1, None)) != total((1, ""))
    assert len({total((text,)).digest for text in ("a", "b", "ab", "")}) == 4
    assert total((hashlib.sha256(b"").hexdigest(),)) == total((hashlib.sha256(b"").hexdigest(),))


def test_only_escapes_of_nul_are_replaced_in_json() -> None:
    cleaner = TextCleaner()
    texts = [r'"\u0000"', r'"\\u0000"', r'"\\\u0000"', '"\0"', '"x"', None]
    found = cleaner.clean("hosts", {"facts": "text"}, [(text,) for text in texts])
    assert [row[0] for row in found] == [
        '"\N{REPLACEMENT CHARACTER}"',
        r'"\\u0000"',
        '"' + r"\\" + '\N{REPLACEMENT CHARACTER}"',
        '"\N{REPLACEMENT CHARACTER}"',
        '"x"',
        None,
    ]
    assert cleaner.changed == {"hosts.facts": 3}
