"""How often one host may dial in, enrol, and say something else of itself."""

import logging
from collections.abc import Callable

from tui_manager.transport.ports.token_buckets import Bucket, Buckets, Rate

log = logging.getLogger(__name__)
# An agent dials about once in 0.5 s at most, and less often with each failure. A fleet that comes
# back is many hosts, each of which dials once.
A_HOST = Rate(a_second=2, at_once=50)
# Each of these is written into the audit. An honest agent does so when its owner starts it anew.
OTHERWISE = Rate(a_second=1 / 60, at_once=10)
_VIOLATION = 10  # arrivals that a violation costs
_HELD = 1250  # executions in Hello that cost as much as an arrival: as many as there may be, 40
_TOLD = Rate(a_second=0.1, at_once=5)  # lines of the log, however many hosts dial


class Arrivals:
    """Slows down a host that dials in again and again; others do not feel it."""

    def __init__(self, monotonic: Callable[[], float], rate: Rate = A_HOST) -> None:
        """`monotonic` tells seconds."""
        self._hosts = Buckets(rate, monotonic)
        self._otherwise = Buckets(OTHERWISE, monotonic)
        self._at_once = rate.at_once
        self._told = Bucket(_TOLD, monotonic)

    def wait(self, host_id: str, held: int = 0) -> float:
        """Counts an arrival. 0.0: it may come in; else the seconds after which it may try again.

        Args:
            held: executions that its Hello names, each of which has to be answered for.
        """
        bucket = self._hosts.of(host_id)
        cost = min(1 + held / _HELD, self._at_once)
        if bucket.take(cost):
            return 0.0
        if self._told.take():
            log.warning("a host dials in too often", extra={"host_id": host_id})
        return bucket.wait(cost)

    def wait_otherwise(self, host_id: str) -> float:
        """Seconds until it may come with another name or from another machine; nothing is
        counted."""
        return self._otherwise.of(host_id).wait()

    def came_otherwise(self, host_id: str) -> None:
        """It was let in with another name or from another machine."""
        self._otherwise.of(host_id).drain(1)

    def punish(self, host_id: str) -> None:
        """It broke the rules: it may dial in less often for a while."""
        self._hosts.of(host_id).drain(_VIOLATION)
