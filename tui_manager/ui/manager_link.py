"""What the screens share of the manager: the open operator, its newest status, what is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tui_manager.domain.address import dial_addresses
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.health import ManagerStatus
from tui_manager.operator.api import Operator
from tui_manager.own_addresses import reachable_addresses


@dataclass(slots=True)
class Link:
    """Handed to every screen.

    Attributes:
        now: the clock.
        joined: the manager runs in another process.
        status: None before the manager has answered.
        trouble: why the manager cannot be reached; empty when it can.
        away_since: when that began; None when it can.
        notice: what every screen says in a line until it is dismissed; empty for none.
        own_addresses: of this machine, for hosts to dial.
    """

    now: Callable[[], datetime]
    joined: bool = False
    connected: Operator | None = None
    status: ManagerStatus | None = None
    trouble: str = ""
    away_since: datetime | None = None
    notice: str = ""
    own_addresses: Callable[[], Sequence[str]] = reachable_addresses

    def lose(self, trouble: str) -> None:
        """The manager cannot be reached."""
        self.trouble = trouble
        self.away_since = self.away_since or self.now()

    def find(self) -> None:
        """The manager answers again."""
        self.trouble, self.away_since = "", None

    def known_at(self) -> datetime:
        """The time of which the screens tell: now, or while the manager is away when that began.
        What runs on hosts may have ended since."""
        return self.away_since or self.now()

    @property
    def operator(self) -> Operator:
        """The open operator. Raises UnreachableError before it is open."""
        if self.connected is None:
            raise UnreachableError("The manager is still starting.")
        return self.connected

    @property
    def dial_address(self) -> str:
        """Where a host dials in, `host:port`; empty before the manager has answered."""
        return next(iter(self.dial_addresses), "")

    @property
    def dial_addresses(self) -> tuple[str, ...]:
        """Where a host may dial in, the likeliest first; none before the manager has answered."""
        return dial_addresses(self.status.address, self.own_addresses) if self.status else ()
