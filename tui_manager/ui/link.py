"""What the screens share of the manager: the open operator, its newest status, what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tui_manager.domain.address import dial_address, own_address
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
        notice: what every screen says in a line until it is dismissed; empty for none.
        own_address: of this machine, for hosts to dial.
    """

    now: Callable[[], datetime]
    joined: bool = False
    connected: Operator | None = None
    status: ManagerStatus | None = None
    trouble: str = ""
    notice: str = ""
    own_address: Callable[[], str] = own_address

    @property
    def operator(self) -> Operator:
        """The open operator. Raises UnreachableError before it is open."""
        if self.connected is None:
            raise UnreachableError("The manager is still starting.")
        return self.connected

    @property
    def dial_address(self) -> str:
        """Where a host dials in, `host:port`; empty before the manager has answered."""
        return dial_address(self.status.address, self.own_address) if self.status else ""
