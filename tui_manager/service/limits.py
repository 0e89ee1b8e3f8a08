"""The limits of the services: their settings, and bounds that no setting changes, of which some
follow from the size of the fleet."""

from dataclasses import fields, replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.service.service_settings import ServiceSettings

RETURN_TIMEOUT = 60.0  # seconds that a host is expected back after its manager stopped or died
_MIB = 1024 * 1024
_FLEET_WINDOW = 32 * _MIB  # unacknowledged bytes of output of the whole fleet, in equal parts
_LEAST_WINDOW = 64 * 1024  # bytes of one piece of output, which every agent may send
_MORE_WINDOW = 32 * _MIB  # as many again, shared by the agents that print much
_LARGEST_WINDOW = 4 * _MIB  # 27 MB/s to an agent that is 150 ms away
_DAY = 24 * 3600 * 1_000_000  # microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(ServiceSettings):
    """All limits of the services.

    Attributes:
        output_window: unacknowledged bytes of one execution that may be on their way.
        max_message: bytes of one message on the wire.
    """

    output_window: int = _MIB
    max_message: int = 4 * _MIB

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Limits":
        """The limits that these settings give."""
        return cls(**{item.name: getattr(settings, item.name) for item in fields(ServiceSettings)})

    def shared_by(self, hosts: int, *, printing: int = 0) -> "Limits":
        """The limits of one of so many hosts. The more hosts there are, the smaller the window of
        each: all windows together must fit into memory while nothing can be stored.

        Args:
            printing: of one of so many hosts that print much, which share some more bytes; 0: of
                one that does not.
        """
        rounded = 1 << max(0, hosts - 1).bit_length()  # a power of 2, so that it seldom changes
        window = min(self.output_window, max(_LEAST_WINDOW, _FLEET_WINDOW // rounded))
        if printing:
            more = min(_LARGEST_WINDOW, window + _MORE_WINDOW // printing)
            window = 1 << (more.bit_length() - 1)  # likewise
        return replace(self, output_window=window, max_message=min(self.max_message, 2 * window))

    def kept_since(self, now: int) -> int:
        """The instant; what ended before it is not kept. 0: everything is kept.

        Args:
            now: microseconds since 1970 UTC.
        """
        return max(0, now - self.history_days * _DAY) if self.history_days else 0
