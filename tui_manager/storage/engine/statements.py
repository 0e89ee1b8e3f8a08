"""What statements are made of: named queries, and values in the form that SQLite takes.

Many rows enter and leave one statement as one JSON text. Python releases its lock around each step
of SQLite, which is one row, and has to wait for it afterwards. If hundreds of reports share a
transaction, these waits cost more than the rows.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from operator import itemgetter
from typing import Any, Self

from tui_manager.storage.engine.transaction import Row, Transaction

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Not behind a backslash that is escaped itself.
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class Query(str):
    """A named query: the text itself is SQLite's, which takes it as it is."""

    __slots__ = ("_file", "_name")
    _file: str
    _name: str

    def __new__(cls, text: str, file: str, name: str) -> Self:
        """
        Args:
            file, name: where it stands.
        """
        made = super().__new__(cls, text)
        made._file, made._name = file, name
        return made

    @property
    def postgresql(self) -> str:
        """The query of the same name for PostgreSQL."""
        return _read_queries("postgresql", self._file)[self._name]


def load_queries(file: str) -> dict[str, Query]:
    """The queries of `sql/ENGINE/FILE` by name. Each begins with `-- name: NAME`, then a line on
    its use. Both engines have the same names.

    Raises:
        ValueError: two queries have the same name.
    """
    return {name: Query(text, file, name) for name, text in _read_queries("sqlite", file).items()}


@functools.cache
def _read_queries(engine: str, file: str) -> dict[str, str]:
    path = files("tui_manager.storage") / "sql" / engine / file
    parts = _NAME.split(path.read_text(encoding="utf-8"))[1:]
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query is named twice in {engine}/{file}")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}


class Packed(str):
    """Many values as one JSON text."""

    __slots__ = ()


def pack_rows(rows: Iterable[Sequence[object]]) -> Packed:
    """Rows for a statement that reads `json_each(:rows)`."""
    return Packed(json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")))


def pack_values(values: Iterable[object]) -> Packed:
    """Values for a statement that reads `json_each(:values)`. In it half a surrogate pair is an
    escape, which SQLite can take."""
    return Packed(json.dumps(list(values)))


def replace_nul(text: str) -> str:
    """The text as PostgreSQL can store it: U+FFFD stands for the character NUL."""
    return text.replace("\0", _REPLACEMENT) if "\0" in text else text


def replace_nul_in_json(text: str) -> str:
    """The same for JSON, where NUL is written as an escape."""
    return _ESCAPED_NUL.sub(rf"\1{_REPLACEMENT}", text)


def fetch_packed(tx: Transaction, sql: str, values: Mapping[str, object]) -> list[list[Any]]:
    """The rows of a statement that selects `json_group_array(json_array(…))`."""
    rows: list[list[Any]] = json.loads(tx.execute(sql, values).fetchone()[0])
    return rows


def fetch_packed_ids(tx: Transaction, sql: str, values: Mapping[str, object]) -> list[int]:
    """The integers of a statement that selects `json_group_array(…)`."""
    ids: list[int] = json.loads(tx.execute(sql, values).fetchone()[0])
    return ids


def fetch_ids(tx: Transaction, query: str, values: Mapping[str, object]) -> list[int]:
    """The result of a query that selects one column of integers."""
    return [row[0] for row in tx.execute(query, values)]


class Columns:
    """Reads the same columns of many rows. A row looks for a name among those of all its columns,
    one after another."""

    __slots__ = ("_names", "_of_keys")

    def __init__(self, *names: str) -> None:
        """
        Args:
            names: two or more.
        """
        self._names = names
        self._of_keys: dict[tuple[str, ...], Callable[[Any], tuple[Any, ...]]] = {}

    def values(self, rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
        """The values of the columns in each of these rows, which are of one answer."""
        if not rows:
            return iter(())
        keys = tuple(rows[0].keys())
        read = self._of_keys.get(keys)
        if read is None:
            read = self._of_keys[keys] = itemgetter(*map(keys.index, self._names))
        return map(read, map(tuple, rows))


def like_pattern(text: str) -> str:
    """The LIKE pattern of rows that contain `text`; empty: no filter."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if text else ""


def from_datetime(instant: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int | None) -> datetime | None:
    """The instant, in UTC; None stays None."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def from_timedelta(duration: timedelta) -> int:
    """Microseconds."""
    return duration // _MICROSECOND
