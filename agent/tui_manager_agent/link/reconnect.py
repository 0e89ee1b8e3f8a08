"""Which manager the agent dials next after a stream has ended, and after which pause. A file of
its own, because `link.py` knows one stream and this counts the failures of many."""

import random
import time
from collections.abc import Callable, Iterable

from tui_manager_agent.link.stream_endings import (
    FATAL,
    FATAL_FROM_ALL,
    SAME_FROM_ALL,
    RefusedByManagerError,
    StreamEnd,
    describe,
)

FIRST_PAUSE = 1.0  # seconds
LONGEST_PAUSE = 30.0  # seconds
# The same while nothing listens at any address, as while a manager restarts. Such a dial costs next
# to nothing, and a manager that is back wants its hosts soon. If this lasts for long, it is no
# restart: then a pause is at most this share of the time since the last stream.
REFUSED_PAUSE = 4.0  # seconds
REFUSED_SHARE = 0.1
PATIENCE = 30.0  # seconds for a dial, and at least as many for the answer to Hello
FIRST_PATIENCE = 10.0  # seconds, as long as another address may answer sooner


class Reconnect:
    """Dials the addresses in rounds, each address once a round and in random order, and counts the
    rounds that failed in a row.

    The pause before a new round grows with them, but less while nothing listens at any address;
    from one address of a round to the next it is at most FIRST_PAUSE. All pauses have full jitter,
    so that not all hosts dial at once.

    Attributes:
        address: what is to be dialed.
        begins_round: whether it is the first of a round.
    """

    def __init__(
        self,
        random_source: random.Random,
        addresses: Iterable[str] = ("",),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            addresses: HOST:PORT of managers, at least one.
            clock: seconds, monotonic.
        """
        self._random = random_source
        self._clock = clock
        self._addresses = list(addresses)
        self._left = self._shuffled(self._addresses)  # of this round
        self._failures = 0
        self._nothing_listens = True  # as far as the dials of this round have shown
        self._away_since = clock()  # when the last stream has ended
        self._refused: set[str] = set()  # addresses whose last answer was of FATAL_FROM_ALL
        self._earliest: dict[str, float] = {}  # when an address may be dialed, by the clock
        self.address = self._left.pop()
        self.begins_round = True

    @property
    def patience(self) -> float:
        """Seconds to wait for a dial of the address. A manager may have thousands of agents to
        answer, so each round waits longer."""
        if len(self._addresses) == 1:
            return PATIENCE
        return min(PATIENCE, FIRST_PATIENCE * 2.0 ** max(0, self._failures - 1))

    def set_addresses(self, addresses: Iterable[str]) -> None:
        """Dials other addresses from now on, at least one. New ones belong to this round."""
        before, self._addresses = self._addresses, list(addresses)
        self._left = self._shuffled(
            one for one in self._addresses if one in self._left or one not in before
        )

    def pause_after(self, end: StreamEnd) -> float:
        """Chooses the address that is dialed next, and returns the seconds until then.

        Raises RefusedByManagerError if dialing again would not help.
        """
        self._check_refusal(end)
        now = self._clock()
        for address in self._addresses if end.ending in SAME_FROM_ALL else (self.address,):
            self._earliest[address] = now + end.retry_after
        if end.was_steady:
            self._failures, self._left = 0, []
        if not end.nothing_listens:
            self._nothing_listens = False
        if self._failures == 0:
            self._away_since = now
        ready = self._ready(now)
        self.begins_round = not ready
        ceiling = FIRST_PAUSE
        if not ready:
            ceiling = self._ceiling(now)
            self._failures = min(self._failures + 1, 16)
            self._begin_round()
            ready = self._ready(now) or [min(self._left, key=lambda one: self._wait(one, now))]
        self.address = ready[0]
        self._left.remove(self.address)
        return self._wait(self.address, now) + self._random.uniform(0, ceiling)

    def _check_refusal(self, end: StreamEnd) -> None:
        if end.ending in FATAL:
            raise RefusedByManagerError(describe(end))
        if end.ending not in FATAL_FROM_ALL:
            self._refused.discard(self.address)
            return
        self._refused.add(self.address)
        if self._refused.issuperset(self._addresses):
            raise RefusedByManagerError(describe(end))

    def _ceiling(self, now: float) -> float:
        """The longest pause before the next round, in seconds."""
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._failures)
        if self._nothing_listens:
            away = now - self._away_since
            return min(ceiling, max(REFUSED_PAUSE, REFUSED_SHARE * away))
        return ceiling

    def _begin_round(self) -> None:
        """The address that was dialed last comes last."""
        self._nothing_listens = True
        self._left = self._shuffled(self._addresses)
        self._left.sort(key=lambda one: one == self.address)

    def _ready(self, now: float) -> list[str]:
        """The addresses of this round that may be dialed now, in order."""
        return [address for address in self._left if not self._wait(address, now)]

    def _wait(self, address: str, now: float) -> float:
        """Seconds until the manager there wants to be dialed."""
        return max(0.0, self._earliest.get(address, now) - now)

    def _shuffled(self, addresses: Iterable[str]) -> list[str]:
        shuffled = list(addresses)
        self._random.shuffle(shuffled)
        return shuffled
