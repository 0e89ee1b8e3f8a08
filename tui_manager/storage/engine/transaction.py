"""What a unit of work sees of the database, whichever engine it is.

`sqlite3.Connection` fulfils these Protocols as it is, so that nothing stands between a unit of work
and SQLite.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Values = Mapping[str, Any] | Sequence[Any]


class Row(Protocol):
    """A row of an answer: its values by number, or by the name of the column. Of two columns with
    one name the first is found."""

    def __getitem__(self, key: int | str, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...

    def keys(self) -> Iterable[str]:
        """The names of the columns, in order."""
        ...


class Cursor(Protocol):
    """The answer to a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement has changed."""
        ...

    def fetchone(self) -> Any:
        """The next row; None: there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> object:
        """No more is read of the answer."""
        ...


class Transaction(Protocol):
    """One transaction of the database."""

    def execute(self, sql: str, values: Values = ..., /) -> Cursor:
        """Runs a statement: a `Query`, or SQL that both engines understand."""
        ...

    def executemany(self, sql: str, values: Iterable[Values], /) -> Cursor:
        """Runs a statement for each of some values."""
        ...


Work = Callable[[Transaction], Any]  # a unit of work


def execute_last(tx: Transaction, sql: str, values: Mapping[str, object]) -> None:
    """Runs a statement that makes all other managers on the database wait until the transaction
    ends. So it runs when all other statements of the transaction have run, and nobody reads there
    what it changes. On SQLite there is no other manager, and it runs at once."""
    run: Callable[[str, Mapping[str, object]], object] = getattr(tx, "execute_last", tx.execute)
    run(sql, values)


def leads(tx: Transaction) -> bool:
    """Whether this manager plans for all managers on the database, and will until the end of the
    transaction. Who plans without that changes what another manager plans. On SQLite there is no
    other manager."""
    leading: bool = getattr(tx, "leads", True)
    return leading
