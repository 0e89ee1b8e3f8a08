"""Counts commits in the database, so that the database says later which commits it has.

If the connection is lost during a commit, the number says afterwards whether the commit was made.
If the number is lower than a confirmed one, the database has gone back, for example to a standby
that lacks the last transactions.
"""

from typing import Any

import psycopg

from tui_manager.storage.engine.postgresql.postgresql_transaction import (
    PostgresqlTransaction,
    begin,
)

_READ_NUMBER = (
    "SELECT number, pg_is_in_recovery() AS standby FROM last_write WHERE gateway = :gateway"
)
# A timeout would end the wait for a standby, and the commit would look as if the standby had it. An
# agent deletes what is committed, so a commit is on a disk before it is confirmed, whatever the
# server's default is now.
_COUNT = (
    "UPDATE last_write SET number = :number WHERE gateway = :gateway "
    "RETURNING set_config('statement_timeout', '0', true), "
    "CASE current_setting('synchronous_commit') WHEN 'off' "
    "THEN set_config('synchronous_commit', 'local', true) END"
)


class DatabaseChangedError(Exception):
    """The database is not the one that it was; the text says how."""


class CountedCommits:
    """Counts the commits of one connection after another.

    Attributes:
        durable: the number of the newest transaction that the server has confirmed.
        sent: the number of the newest one whose COMMIT was sent.
        committing: whether the answer to a COMMIT is waited for.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", gateway: int) -> None:
        """Takes the number over, and commits a first transaction.

        Args:
            gateway: the number of the manager, which counts in a row of its own.

        Raises:
            psycopg.Error: the connection is lost, or nothing can be written.
        """
        self._gateway = gateway
        self._warning = ""  # of the server, about the statement that runs
        self.committing = False
        self.use(connection)
        self.durable = self.sent = self._stored()
        self._commit_number()

    def use(self, connection: "psycopg.Connection[Any]") -> None:
        """Commits on this connection from now on."""
        self._connection = connection
        connection.add_notice_handler(self._note_warning)

    def _note_warning(self, warning: psycopg.errors.Diagnostic) -> None:
        self._warning = warning.message_primary or "The server has warned."

    def commit(self) -> None:
        """Commits the transaction of the connection, and returns when it is durable."""
        tx, number = PostgresqlTransaction(self._connection), self.sent + 1
        tx.execute(_COUNT, {"number": number, "gateway": self._gateway})
        self._warning, self.sent = "", number
        self.committing = True
        try:
            tx.execute("COMMIT")
        finally:
            self.committing = False
        if self._warning:  # somebody has ended the wait for a standby
            raise psycopg.OperationalError(self._warning)
        self.durable = number

    def confirm_sent(self) -> int:
        """Finds out which of the sent transactions the database has, and waits until all of those
        are durable.

        Returns:
            The number of the newest one that it has.

        Raises:
            psycopg.Error: the server cannot say that now.
            DatabaseChangedError: it lacks what it has confirmed, or was written by somebody else.
        """
        stored = self._stored()
        missing = self.durable - stored
        if missing > 0:
            raise DatabaseChangedError(
                f"lacks the last {missing:,} transactions that it had confirmed, as after a "
                "failover"
            )
        if stored > self.sent:
            raise DatabaseChangedError("was written by another manager")
        if stored > self.durable:
            self._commit_number()
        else:
            self.sent = stored
        return stored

    def _commit_number(self) -> None:
        """Commits nothing but a number. Once that is durable, so is all that was committed before
        it, also on a standby."""
        begin(self._connection)
        self.commit()

    def _stored(self) -> int:
        values = {"gateway": self._gateway}
        row = PostgresqlTransaction(self._connection).execute(_READ_NUMBER, values).fetchone()
        if row["standby"]:  # it may lack something for now
            self._connection.close()
            raise psycopg.errors.ReadOnlySqlTransaction("The server is a standby.")
        return int(row["number"])
