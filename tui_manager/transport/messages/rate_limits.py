"""Rate limits by token buckets: how often a host may connect, enrol or change its identity."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)
_BUCKETS_LIMIT = 10_000  # the least recently used bucket is dropped beyond it


@dataclass(frozen=True, slots=True)
class Rate:
    """A burst at once, and then so many per second."""

    per_second: float
    burst: float


class TokenBucket:
    """One count with a rate limit."""

    __slots__ = ("_at", "_left", "_monotonic", "_rate")

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds."""
        self._rate = rate
        self._monotonic = monotonic
        self._left = rate.burst
        self._at = monotonic()

    def take(self, amount: float = 1) -> bool:
        """Takes the amount. Returns False, and takes nothing, if there is less."""
        self._fill()
        if amount > self._left:
            return False
        self._left -= amount
        return True

    def drain(self, amount: float) -> None:
        """Takes the amount, or everything if there is less."""
        self._fill()
        self._left = max(0.0, self._left - amount)

    def wait(self, amount: float = 1) -> float:
        """Seconds until the amount can be taken."""
        self._fill()
        return max(0.0, (amount - self._left) / self._rate.per_second)

    def _fill(self) -> None:
        now = self._monotonic()
        left = self._left + (now - self._at) * self._rate.per_second
        self._left = left if left < self._rate.burst else self._rate.burst
        self._at = now


class TokenBuckets:
    """One bucket for each key, with a limit on the number of buckets."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, key: str) -> TokenBucket:
        """The bucket of a key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._monotonic)
            if len(self._buckets) > _BUCKETS_LIMIT:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket


# An agent connects at most about every 0.5 s, and less often after each failure. When a fleet comes
# back, many hosts connect, but each of them once.
CONNECTIONS_OF_A_HOST = Rate(per_second=2, burst=50)
# Each change of name or machine is written into the audit. A correct agent makes one only when its
# owner starts it again.
IDENTITY_CHANGES = Rate(per_second=1 / 60, burst=10)
_VIOLATION_COST = 10  # connections
# Executions in a Hello that cost as much as one connection. A Hello may name 50,000, which cost 40.
_EXECUTIONS_PER_CONNECTION = 1250
_LOG_LINES = Rate(per_second=0.1, burst=5)  # log lines, however many hosts connect


class ConnectionRates:
    """Limits how often each host connects and changes its name or machine."""

    def __init__(self, monotonic: Callable[[], float], rate: Rate = CONNECTIONS_OF_A_HOST) -> None:
        """`monotonic` returns seconds."""
        self._hosts = TokenBuckets(rate, monotonic)
        self._identity_changes = TokenBuckets(IDENTITY_CHANGES, monotonic)
        self._burst = rate.burst
        self._log_lines = TokenBucket(_LOG_LINES, monotonic)

    def wait(self, host_id: str, held: int = 0) -> float:
        """Counts a connection. Returns 0.0 if it is accepted, otherwise seconds until the next try.

        Args:
            held: number of executions in its Hello; the manager must answer for each.
        """
        bucket = self._hosts.of(host_id)
        cost = min(1 + held / _EXECUTIONS_PER_CONNECTION, self._burst)
        if bucket.take(cost):
            return 0.0
        if self._log_lines.take():
            log.warning("a host connects too often", extra={"host_id": host_id})
        return bucket.wait(cost)

    def identity_change_delay(self, host_id: str) -> float:
        """Seconds until the host may change its name or machine. Counts nothing."""
        return self._identity_changes.of(host_id).wait()

    def count_identity_change(self, host_id: str) -> None:
        """Counts that the host was accepted with another name or machine."""
        self._identity_changes.of(host_id).drain(1)

    def slow_down(self, host_id: str) -> None:
        """The host violated the protocol: it may connect less often for a while."""
        self._hosts.of(host_id).drain(_VIOLATION_COST)
