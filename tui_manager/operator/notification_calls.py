"""The part of the operator's API that is about notifications; see `api.py`. A file of its own, as
each such subject has one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tui_manager.domain.manager.notification import Answer, ReceiverStatus


class NotificationCalls(Protocol):
    """Who receives notifications, and the state of each receiver."""

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        """The receivers by name, as the settings of the manager that leads have them."""
        ...

    async def test_receiver(self, name: str) -> Answer:
        """Sends an event that says that it is a test, at once, whatever waits, and returns what
        came back. It may take up to the time limit of the receiver. NotFoundError if the settings
        of the manager that is asked have no such receiver."""
        ...
