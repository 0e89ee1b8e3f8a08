"""What carries messages between the managers of one database."""

from collections.abc import Callable
from typing import Protocol


class MessageLink(Protocol):
    """One connection that carries messages; it is opened once, and not again after it was lost.
    Everything is called on one event loop. `service/managers/messages/link_notifier.py` uses it."""

    async def open(
        self, on_message: Callable[[bytes], None], on_lost: Callable[[str], None]
    ) -> None:
        """Connects, and listens.

        Args:
            on_message: called with each message of this database, those of this link too.
            on_lost: called with the reason, for the operator, when the link carries nothing any
                more.

        Raises:
            ManagerError: there is no connection now; the text is for the operator.
        """
        ...

    async def send(self, message: bytes) -> None:
        """Sends a message to all that listen.

        Args:
            message: ASCII without NUL, less than 8,000 bytes.

        Raises:
            ManagerError: the link is lost.
        """
        ...

    async def close(self, patience: float | None) -> None:
        """Ends the connection, whether it was opened, is being opened, or was lost. Returns when
        nothing of it is left, or after `patience` seconds; None: however long that takes."""
        ...
