"""The limits that the services obey: those that an operator can set, with their defaults and the
values that are allowed, and those that follow from the size of the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

_MIB = 1024 * 1024
_FLEET_WINDOW = 64 * _MIB  # unacknowledged bytes of output of the whole fleet
_LEAST_WINDOW = 64 * 1024  # bytes of one piece of output, which every agent may send
_DAY = 24 * 3600 * 1_000_000  # microseconds


class Bounds(NamedTuple):
    """The lowest and the highest value of a setting; `size`: the setting is a number of bytes."""

    low: Any
    high: Any
    size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettableLimits:
    """What an operator can set and a service obeys. A field here is a setting.

    Attributes:
        lost_after: silence of an agent that turns its work into failure.
        heartbeat: an agent reports at least this often; with thousands of agents less often.
        kill_grace: time between SIGTERM and SIGKILL.
        output_limit: stored bytes of one command on one host, both streams together.
        free_disk: bytes that must be free in the state folder before a task can start.
        history_days: days after its end at which a task is removed with its output; 0: never.
        groups: host groups, name → target.
    """

    lost_after: Annotated[timedelta, Bounds(timedelta(seconds=1), timedelta(days=7))] = timedelta(
        minutes=5
    )
    heartbeat: Annotated[timedelta, Bounds(timedelta(milliseconds=100), timedelta(minutes=10))] = (
        timedelta(seconds=5)
    )
    kill_grace: Annotated[timedelta, Bounds(timedelta(0), timedelta(hours=1))] = timedelta(
        seconds=10
    )
    output_limit: Annotated[int, Bounds(1024, 16 << 30, size=True)] = 16 * _MIB
    free_disk: Annotated[int, Bounds(0, 1 << 50, size=True)] = 256 * _MIB
    history_days: Annotated[int, Bounds(0, 36_500)] = 30
    groups: Mapping[str, str] = field(default_factory=dict)


BOUNDS: Mapping[str, Bounds] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(SettableLimits, include_extras=True).items()
    if get_origin(hint) is Annotated
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(SettableLimits):
    """All limits of the services.

    Attributes:
        output_window: unacknowledged bytes of one execution that may be on their way.
        max_message: bytes of one message on the wire.
    """

    output_window: int = _MIB
    max_message: int = 4 * _MIB

    @classmethod
    def of(cls, settings: SettableLimits) -> "Limits":
        """The limits that these settings give."""
        return cls(**{item.name: getattr(settings, item.name) for item in fields(SettableLimits)})

    def shared_by(self, hosts: int) -> "Limits":
        """The limits of one of so many hosts. The more hosts there are, the smaller the window of
        each: all windows together must fit into memory while nothing can be stored."""
        rounded = 1 << max(0, hosts - 1).bit_length()  # a power of 2, so that it seldom changes
        window = min(self.output_window, max(_LEAST_WINDOW, _FLEET_WINDOW // rounded))
        return replace(self, output_window=window, max_message=min(self.max_message, 2 * window))

    def kept_since(self, now: int) -> int:
        """The instant; what ended before it is not kept. 0: everything is kept.

        Args:
            now: microseconds since 1970 UTC.
        """
        return max(0, now - self.history_days * _DAY) if self.history_days else 0
