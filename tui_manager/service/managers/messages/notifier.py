"""How managers on one database tell each other that something has changed.

A message is a hint. It may be lost, late, twice, or out of order, and everybody who can use the
server may send one. So whoever gets a message reads the database, and reads it now and then even if
no message comes.
"""

from collections.abc import Callable
from typing import Protocol

MESSAGE_MAX = 7_900  # bytes; PostgreSQL sends less than 8,000
WAITING_MAX = 10  # messages that wait for their turn: those of a second


def ignore(_message: bytes) -> None:
    """Does nothing with a message."""


class Notifier(Protocol):
    """Sends messages to all managers of the database, this one too.

    Attributes:
        on_message: called on the event loop with each message, of this manager and of others. It
            must not wait. It may be set at any time before `run`.
    """

    on_message: Callable[[bytes], None]

    @property
    def problem(self) -> str:
        """Why messages do not arrive now, as a sentence for the operator; empty: they do."""
        ...

    def send(self, message: bytes) -> None:
        """Sends a message soon. Never waits and never raises.

        At most ten messages leave within a second. The caller merges what it has to say and does
        not call this more often: at most `WAITING_MAX` messages wait for their turn, and then the
        oldest is lost. While there is no connection, all messages are lost.

        Args:
            message: ASCII without NUL, such as JSON, and at most `MESSAGE_MAX` bytes. Another one
                is a fault of the caller: it is not sent, and that is logged.
        """
        ...

    async def run(self) -> None:
        """Connects, and again whenever the connection is lost. Ends when it is cancelled, without
        waiting for a server."""
        ...


class NoNotifier:
    """For the only manager of a database: there is nobody to tell. Implements Notifier."""

    problem = ""

    def __init__(self) -> None:
        self.on_message: Callable[[bytes], None] = ignore

    def send(self, message: bytes) -> None:
        """See Notifier."""

    async def run(self) -> None:
        """Ends at once."""
