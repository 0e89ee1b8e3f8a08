"""Token buckets: how often something may happen, in bursts and on the whole."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_KEPT = 10_000  # buckets; the ones that were used longest ago are forgotten


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a second from then on."""

    a_second: float
    at_once: float


class Bucket:
    """One count that is held to a rate."""

    __slots__ = ("_at", "_left", "_monotonic", "_rate")

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        """`monotonic` tells seconds."""
        self._rate = rate
        self._monotonic = monotonic
        self._left = rate.at_once
        self._at = monotonic()

    def take(self, amount: float = 1) -> bool:
        """Takes so much; False, and nothing is taken, when there is less."""
        self._fill()
        if amount > self._left:
            return False
        self._left -= amount
        return True

    def drain(self, amount: float) -> None:
        """Takes so much, or what is left."""
        self._fill()
        self._left = max(0.0, self._left - amount)

    def wait(self, amount: float = 1) -> float:
        """Seconds until so much can be taken."""
        self._fill()
        return max(0.0, (amount - self._left) / self._rate.a_second)

    def _fill(self) -> None:
        now = self._monotonic()
        left = self._left + (now - self._at) * self._rate.a_second
        self._left = left if left < self._rate.at_once else self._rate.at_once
        self._at = now


class Buckets:
    """A bucket for each key; memory is bounded whatever keys come."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, key: str) -> Bucket:
        """The bucket of a key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._monotonic)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket
