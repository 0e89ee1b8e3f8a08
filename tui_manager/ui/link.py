"""What the screens share of the manager: the open operator, its newest status, what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.health import ManagerStatus
from tui_manager.operator.api import Operator


@dataclass(slots=True)
class Link:
    """Handed to every screen.

    Attributes:
        now: the clock.
        joined: the manager runs in another process.
        status: None before the manager has answered.
        trouble: why the manager cannot be reached; empty when it can.
    """

    now: Callable[[], datetime]
    joined: bool = False
    connected: Operator | None = None
    status: ManagerStatus | None = None
    trouble: str = ""

    @property
    def operator(self) -> Operator:
        """The open operator. Raises UnreachableError before it is open."""
        if self.connected is None:
            raise UnreachableError("The manager is still starting.")
        return self.connected
