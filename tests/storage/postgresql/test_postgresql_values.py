"""Values on their way to PostgreSQL and back: texts that it cannot hold, packed rows, rows by name,
and the parameters of a statement."""

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from typing import Any

import pytest

from tests.support.databases.postgresql import new_database
from tui_manager.storage.engine.postgresql.connection import connect, postgresql_address
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.engine.statements import fetch_packed, pack_rows, pack_values


class _Colour(StrEnum):
    RED = "red"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with new_database() as made:
        yield made


@pytest.fixture
def tx(url: str) -> Iterator[PostgresqlTransaction]:
    """A transaction of which nothing is kept."""
    with closing(connect(postgresql_address(url))) as connection:
        connection.execute("BEGIN")
        yield PostgresqlTransaction(connection)
        connection.rollback()


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("", ""),
        ("a\0b\0", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),
        ("100% :name ? %s %(x)s", "100% :name ? %s %(x)s"),
        ("'; DROP TABLE x; --\\", "'; DROP TABLE x; --\\"),
        ("\u202e\U0001f600\x7f\x1b[31m", "\u202e\U0001f600\x7f\x1b[31m"),
        (r"\u0000", r"\u0000"),
        (_Colour.RED, "red"),
    ],
)
def test_texts(tx: PostgresqlTransaction, sent: str, stored: str) -> None:
    assert tx.execute("SELECT :x::text AS x", {"x": sent}).fetchone()["x"] == stored


def test_a_text_that_is_no_unicode_is_refused(tx: PostgresqlTransaction) -> None:
    with pytest.raises(UnicodeEncodeError):
        tx.execute("SELECT :x::text", {"x": "\udcff"})


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63), True, None, b"", b"\0\xff\\"])
def test_other_values(tx: PostgresqlTransaction, value: Any) -> None:
    kind = {int: "bigint", bool: "boolean", bytes: "bytea"}.get(type(value), "text")
    got = tx.execute(f"SELECT :x::{kind} AS x", {"x": value}).fetchone()["x"]
    assert (got, type(got)) == (value, type(value))


def test_packed_rows_come_back_as_they_were(tx: PostgresqlTransaction) -> None:
    odd = ("a\0", "\\\0", r"\u0000", r"\\u0000", '"', "\n\x01\U0001f600")
    rows = [(number, text, None, 1.5, True) for number, text in enumerate(odd)]
    statement = (
        "SELECT json_agg(json_build_array((r.value->>0)::bigint, r.value->>1, r.value->>2, "
        "(r.value->>3)::float, (r.value->>4)::boolean) ORDER BY number) "
        "FROM jsonb_array_elements(:rows::jsonb) WITH ORDINALITY AS r (value, number)"
    )
    got = fetch_packed(tx, statement, {"rows": pack_rows(rows)})
    expected = [
        [number, text.replace("\0", "\N{REPLACEMENT CHARACTER}"), *rest]
        for number, text, *rest in rows
    ]
    assert got == expected


def test_packed_values_keep_their_order(tx: PostgresqlTransaction) -> None:
    values = ["b", "a", "b", ""]
    statement = "SELECT v FROM jsonb_array_elements_text(:values::jsonb) WITH ORDINALITY AS t (v)"
    got = [row["v"] for row in tx.execute(statement, {"values": pack_values(values)})]
    assert got == values


def test_json_and_uuids_come_back_as_texts(tx: PostgresqlTransaction) -> None:
    some = "01890000-0000-7000-8000-000000000001"
    row = tx.execute(f"""SELECT '{{"a": 1}}'::json, '[1, 2]'::jsonb, '{some}'::uuid""").fetchone()
    assert tuple(row) == ('{"a": 1}', "[1, 2]", some)


def test_rows_by_name_and_by_number(tx: PostgresqlTransaction) -> None:
    row = tx.execute("SELECT 1 AS a, 2 AS b, 3 AS a").fetchone()
    assert (row["a"], row["b"], row[2], row[-1], len(row)) == (1, 2, 3, 3, 3)
    assert tuple(row) == (1, 2, 3)
    assert list(row.keys()) == ["a", "b"]
    assert list(tx.execute("SELECT 1 AS c, 2 AS a, 3 AS b").fetchone().keys()) == ["c", "a", "b"]
    first, *others = row
    assert (first, others) == (1, [2, 3])
    with pytest.raises(KeyError):
        row["c"]
    assert tx.execute("SELECT 1 AS a WHERE false").fetchone() is None


def test_parameters_and_casts_are_told_apart(tx: PostgresqlTransaction) -> None:
    statement = "SELECT :a1::text || :_b::text AS x, 10 % 3 AS rest, '%' AS sign WHERE 'ab' LIKE :c"
    row = tx.execute(statement, {"a1": "1", "_b": "2", "c": "a%"}).fetchone()
    assert tuple(row) == ("12", 1, "%")
    assert tx.execute("SELECT ?::bigint + ?::bigint", (1, 2)).fetchone()[0] == 3


def test_counts_of_changed_rows(tx: PostgresqlTransaction) -> None:
    tx.execute("CREATE TABLE counted (x bigint)")
    many = [{"x": number} for number in range(3)]
    assert tx.executemany("INSERT INTO counted VALUES (:x)", many).rowcount == 3
    assert tx.execute("UPDATE counted SET x = x + 1 WHERE x > 0").rowcount == 2
    assert tx.execute("DELETE FROM counted WHERE x = 99").rowcount == 0
