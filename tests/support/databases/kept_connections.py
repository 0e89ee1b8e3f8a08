"""Connections to PostgreSQL that a manager has closed, and that the next one gets again.

A session that begins reads the catalog for each of its first statements, which takes the server
longer than all that most tests do. So tests of `tests/service` and `tests/storage`, which run on
both engines, share sessions: `DISCARD ALL` leaves of one what a new one has, and only that it knows
the catalog is kept. A connection that was cut, or that leaves a transaction, ends as always.
`tests/storage/postgresql` and all programs have connections of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq import PGconn as OpenedPGconn
from psycopg.pq.abc import PGconn

from tui_manager.storage.engine.postgresql import connection
from tui_manager.storage.engine.postgresql.connection import TimedConnection

_MAX = 4  # of a database: those of one manager, as the server has 200 in all
_ENDED = OpenedPGconn.connect(b"host=/nowhere")
_ENDED.finish()


class KeptConnections:
    """Those of one database."""

    def __init__(self) -> None:
        self._free: list[PGconn] = []

    def take(self) -> PGconn | None:
        """One whose session is like a new one; None: there is none."""
        try:
            return self._free.pop()
        except IndexError:
            return None

    def keep(self, session: PGconn) -> bool:
        """Whether the session is kept for others."""
        kept = (
            len(self._free) < _MAX
            and session.status == ConnStatus.OK
            and session.transaction_status == TransactionStatus.IDLE
            and session.exec_(b"DISCARD ALL").status == ExecStatus.COMMAND_OK
        )
        if kept:
            self._free.append(session)
        return kept

    def processes(self) -> list[int]:
        """The processes of the server that nobody uses."""
        return [session.backend_pid for session in self._free]

    def close(self) -> None:
        """Ends them."""
        while session := self.take():
            session.finish()


KEPT: dict[str, KeptConnections] = {}  # by what libpq gets; of other databases none are kept


class _Connection(TimedConnection):
    """One that may be kept."""

    _kept: KeptConnections | None = None

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Any:
        """See psycopg.Connection."""
        kept = KEPT.get(conninfo)
        session = kept.take() if kept else None
        if session is None:
            made = super().connect(conninfo, **options)
        else:
            made = cls(session, options["row_factory"])
            made.autocommit = options["autocommit"]
        made._kept = kept
        return made

    def close(self) -> None:
        """See psycopg.Connection."""
        if self._kept and self._kept.keep(self.pgconn):
            self.pgconn = _ENDED
        super().close()


@contextmanager
def kept_connections() -> Iterator[None]:
    """Managers that are opened in the block get connections of earlier ones."""
    with patch.object(connection, "TimedConnection", _Connection):
        yield
