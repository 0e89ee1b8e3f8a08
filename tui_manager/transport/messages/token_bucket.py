"""Token buckets: each limits how often something may happen. The rates are in
`message_rates.py`, `host_connection_rates.py` and `enrollment_rates.py`."""

from collections import OrderedDict
from collections.abc import Callable

from tui_manager_protos.lazy_dataclass import dataclass

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
