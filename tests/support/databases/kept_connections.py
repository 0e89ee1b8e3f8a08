"""Connections to PostgreSQL that a manager has closed, and that the next one gets again.

A session that begins reads the catalog for each of its first statements, and plans them, which
takes the server longer than all that most tests do. So tests of `tests/service` and
`tests/storage`, which run on both engines, share sessions. A session that was given back is like a
new one, but that it knows the catalog and keeps its prepared statements, as that of a manager which
has run for a while does; it keeps them after a rollback too. A connection that was cut, or that
leaves a transaction, ends as always.
`tests/storage/postgresql` and all programs have connections of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from psycopg._preparing import PrepareManager
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq import PGconn as OpenedPGconn
from psycopg.pq.abc import PGconn

from tui_manager.storage.engine.postgresql import connection
from tui_manager.storage.engine.postgresql.connection import TimedConnection

_MAX = 8  # of a database: those of two managers
# The plans of a session that has run for a while, from the first execution of a statement on.
_PLANS = "-c plan_cache_mode=force_generic_plan"
# What DISCARD ALL does, but for prepared statements and their plans.
_DISCARD = (
    b"CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    b"SELECT pg_advisory_unlock_all(); DISCARD TEMPORARY; DISCARD SEQUENCES"
)
_ENDED = OpenedPGconn.connect(b"host=/nowhere")
_ENDED.finish()


class KeptConnections:
    """Those of one database."""

    def __init__(self) -> None:
        self._free: list[tuple[PGconn, PrepareManager]] = []

    def take(self) -> tuple[PGconn, PrepareManager] | None:
        """The one that was closed last, with what it has prepared; None: there is none. The next
        manager writes with the connection with which the last one wrote, as that closes it last."""
        try:
            return self._free.pop()
        except IndexError:
            return None

    def keep(self, session: PGconn, prepared: PrepareManager) -> bool:
        """Whether the session is kept for others."""
        kept = (
            session.status == ConnStatus.OK
            and session.transaction_status == TransactionStatus.IDLE
            and session.exec_(_DISCARD).status == ExecStatus.COMMAND_OK
        )
        if kept:
            self._free.append((session, prepared))
            for oldest, _ in self._free[:-_MAX]:
                oldest.finish()
            del self._free[:-_MAX]
        return kept

    def processes(self) -> list[int]:
        """The processes of the server that nobody uses."""
        return [session.backend_pid for session, _ in self._free]

    def close(self) -> None:
        """Ends them."""
        while self._free:
            self._free.pop()[0].finish()


KEPT: dict[str, KeptConnections] = {}  # by what libpq gets; of other databases none are kept


class _KeptStatements(PrepareManager):
    """Statements that stay prepared after a rollback, at which psycopg forgets all of them."""

    def clear(self) -> bool:
        """See PrepareManager."""
        return False


class _Connection(TimedConnection):
    """One that may be kept."""

    _kept: KeptConnections | None = None

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Any:
        """See psycopg.Connection."""
        kept = KEPT.get(conninfo)
        taken = kept.take() if kept else None
        if taken is not None:
            session, prepared = taken
            made = cls(session, options["row_factory"])
            made.autocommit = options["autocommit"]
            made._prepared = prepared
        elif kept:
            made = super().connect(conninfo, options=_PLANS, **options)
            made._prepared = _KeptStatements()
        else:
            made = super().connect(conninfo, **options)
        made._kept = kept
        return made

    def close(self) -> None:
        """See psycopg.Connection."""
        if self._kept and self._kept.keep(self.pgconn, self._prepared):
            self.pgconn = _ENDED
        super().close()


@contextmanager
def kept_connections() -> Iterator[None]:
    """Managers that are opened in the block get connections of earlier ones."""
    with patch.object(connection, "TimedConnection", _Connection):
        yield
