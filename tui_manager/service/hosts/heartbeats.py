"""How often agents report, so that a fleet of any size does not cost more than so many beats."""

import math
from datetime import timedelta

BEATS_A_SECOND = 500  # of all agents together; each costs the manager 0.2 to 0.3 ms of CPU
_LONGEST = timedelta(seconds=60)  # however many there are
_JUDGED = 3  # heartbeats without a word after which an agent counts as gone
_SLACK = 0.8  # of what fits: a fleet must have shrunk below that before it is told to beat faster


class Heartbeats:
    """The heartbeat that agents are told: the shortest one as long as all fit, then two, three…
    times as long. It changes in such steps so that agents are told anew a few times, not with each
    that comes or goes."""

    def __init__(self, shortest: timedelta, lost_after: timedelta) -> None:
        """
        Args:
            shortest: what the operator has set.
            lost_after: nobody beats so slowly that it would take longer than this to miss it.
        """
        self.now = shortest
        self._shortest = shortest
        self._times = 1
        self._most = max(1, min(_LONGEST, lost_after / _JUDGED) // shortest)
        self._fit = BEATS_A_SECOND * shortest.total_seconds()

    def count(self, sessions: int) -> None:
        """There are so many agents."""
        if sessions > self._fit * self._times or sessions < _SLACK * self._fit * (self._times - 1):
            self._times = max(1, min(self._most, math.ceil(sessions / self._fit)))
            self.now = self._times * self._shortest
