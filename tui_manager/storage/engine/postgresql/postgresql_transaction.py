"""A transaction of PostgreSQL as units of work see it: calls, values and rows as with SQLite. All
connections use it, those that write and those that only read.

- A parameter is written `:name`, as in SQLite. Every int is sent as a bigint, so that a statement
  is planned once for all values. A text takes the type that its place in the statement asks for.
- PostgreSQL's texts cannot hold the character NUL, which a host may send; it is stored as U+FFFD.
- JSON, also of `json_agg`, comes back as its text.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.pq import ExecStatus
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown, TextLoader

from tui_manager.storage.engine.statements import Packed, Query, replace_nul, replace_nul_in_json
from tui_manager.storage.engine.transaction import Cursor, Values

if TYPE_CHECKING:
    from tui_manager.storage.engine.postgresql.writing.lease import Lease

# How a transaction begins that writes, or that only reads, whatever the server's default is.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
BEGIN_READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_AS_TEXT = ("json", "jsonb", "uuid")


class PostgresqlRow(Sequence[Any]):
    """A row; implements Row."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: Mapping[str, int], values: Sequence[Any]) -> None:
        """
        Args:
            names: the number of each column.
        """
        self._names, self._values = names, values

    def __getitem__(self, key: Any, /) -> Any:
        return self._values[self._names[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresqlRow) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def keys(self) -> Iterable[str]:
        """See Row."""
        return self._names


def rows(cursor: psycopg.Cursor[Any]) -> Any:
    """Makes the rows of a cursor; psycopg's row factory."""
    result = cursor.pgresult
    if result is None or result.status != ExecStatus.TUPLES_OK:  # COPY has columns without names
        return tuple
    return functools.partial(PostgresqlRow, _numbers(*map(result.fname, range(result.nfields))))


@functools.lru_cache(maxsize=1024)
def _numbers(*names: bytes) -> Mapping[str, int]:
    """The number of each column, in order; of two with one name, that of the first."""
    numbers: dict[str, int] = {}
    for number, name in enumerate(names):
        numbers.setdefault(name.decode(), number)
    return numbers


class PostgresqlTransaction:
    """The transaction of a connection; implements Transaction."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        lease: "Lease | None" = None,
        *,
        will_finish: bool = False,
    ) -> None:
        """
        Args:
            lease: of the manager; None: no other manager uses the database meanwhile.
            will_finish: whether `finish` or `take_last` follows, so that something may run last.
        """
        self.connection = connection
        self._lease = lease
        self._leads = None if lease else True
        self._will_finish = will_finish
        self._last: dict[str, list[Mapping[str, object]]] = {}

    @property
    def leads(self) -> bool:
        """See `transaction.leads`."""
        if self._leads is None:
            assert self._lease is not None
            self._leads = self._lease.lock(self)
        return self._leads

    def execute(self, sql: str, values: Values = (), /) -> Cursor:
        """See Transaction. A `Query` is prepared; other SQL is for tests and for the schema."""
        if isinstance(sql, Query):
            return self.connection.execute(_statement(sql.postgresql), values, prepare=True)
        return self.connection.execute(_unnamed(sql, values), values)

    def executemany(self, sql: str, values: Iterable[Values], /) -> Cursor:
        """See Transaction."""
        all_values = list(values)
        if isinstance(sql, Query):
            text = _statement(sql.postgresql)
        else:
            text = _unnamed(sql, all_values[0] if all_values else ())
        cursor = self.connection.cursor()
        cursor.executemany(text, all_values)
        return cursor

    def execute_last(self, sql: str, values: Mapping[str, object], /) -> None:
        """See `transaction.execute_last`; `finish` runs it."""
        if not self._will_finish:
            self.execute(sql, values)
            return
        for value in values.values():
            if isinstance(value, str):
                value.encode()  # what cannot be sent fails this unit, not all of the transaction
        self._last.setdefault(sql, []).append(values)

    def take_last(self, other: "PostgresqlTransaction") -> None:
        """Runs at the end of this transaction what was to run at the end of another one, which is a
        part of it."""
        for sql, values in other._last.items():
            self._last.setdefault(sql, []).extend(values)
        other._last.clear()

    def finish(self) -> None:
        """Runs what is to run last; COMMIT follows."""
        for sql, values in self._last.items():
            self.executemany(sql, values)
        self._last.clear()


def begin(
    connection: psycopg.Connection[Any], lease: "Lease | None" = None
) -> PostgresqlTransaction:
    """Begins a transaction that writes. `finish` and a commit follow, or a rollback."""
    tx = PostgresqlTransaction(connection, lease, will_finish=True)
    tx.execute(BEGIN)
    return tx


def _unnamed(sql: str, values: Values) -> bytes:
    """SQL that is no `Query`, and may have `?` for values without names."""
    text = _statement(sql)
    return text if isinstance(values, Mapping) else text.replace(b"?", b"%s")


@functools.lru_cache(maxsize=1024)
def _statement(sql: str) -> bytes:
    """The same as psycopg wants it."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")).encode()


class _TextDumper(StrDumperUnknown):
    """Texts, without the character that PostgreSQL cannot store."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(replace_nul(obj))


class _JsonDumper(StrDumperUnknown):
    """The same in JSON, where it is escaped."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(replace_nul_in_json(obj))


def adapt(context: AdaptContext) -> None:
    """Sets how a connection sends and receives values."""
    adapters = context.adapters
    assert adapters is not None
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(str, _TextDumper)
    adapters.register_dumper(Packed, _JsonDumper)
    for name in _AS_TEXT:
        adapters.register_loader(name, TextLoader)
