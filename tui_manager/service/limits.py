"""The numbers that the services obey."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tui_manager.domain.spec import KILL_GRACE, OUTPUT_LIMIT

_UNDER_WAY = 64 << 20  # bytes of output of the whole fleet
_PIECE = 64 << 10  # bytes of an agent's piece of output: each may have one under way
_DAY = 24 * 3600 * 1_000_000  # microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator may set, as far as the services care; see `settings.Settings`.

    Attributes:
        history_days: 0: all is kept.
        output_window: unacknowledged bytes of one execution under way.
        max_message: bytes of one message on the wire.
    """

    lost_after: timedelta = timedelta(minutes=5)
    heartbeat: timedelta = timedelta(seconds=5)
    kill_grace: timedelta = KILL_GRACE
    output_limit: int = OUTPUT_LIMIT
    free_disk: int = 256 * 1024 * 1024
    history_days: int = 30
    groups: Mapping[str, str] = field(default_factory=dict)
    output_window: int = 1024 * 1024
    max_message: int = 4 * 1024 * 1024

    def shared_by(self, hosts: int) -> "Limits":
        """The same for one of so many hosts: the more there are, the less output each may have
        under way, because what comes while nothing can be stored must have room in memory."""
        doubled = 1 << max(0, hosts - 1).bit_length()  # so that it seldom changes
        window = min(self.output_window, max(_PIECE, _UNDER_WAY // doubled))
        return replace(self, output_window=window, max_message=min(self.max_message, 2 * window))

    def kept_since(self, now: int) -> int:
        """The instant before which an end is too long ago to be kept; 0: all is kept.

        Args:
            now: microseconds since 1970 UTC.
        """
        return max(0, now - self.history_days * _DAY) if self.history_days else 0
