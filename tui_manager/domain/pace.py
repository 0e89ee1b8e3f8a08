"""How often watchers are told: the first few of a quiet second at once, never more than ten in one.

Pure: whoever tells says when it did, and is told how long to wait.
"""

from collections import deque

A_SECOND = 10  # at most, in any second
AT_ONCE = 4  # a task is made, is started, runs and has ended within milliseconds


class Pace:
    """What one watcher was told in the last second, and when it may be told more."""

    def __init__(self) -> None:
        self._told: deque[float] = deque(maxlen=A_SECOND)

    def told(self, now: float) -> float:
        """Takes note of a telling.

        Args:
            now: monotonic seconds.

        Returns:
            Seconds until the next: none while few were told, then an even share of what is left of
            the second.
        """
        self._told.append(now)
        while self._told[0] <= now - 1:
            self._told.popleft()
        if len(self._told) < AT_ONCE:
            return 0.0
        return (self._told[0] + 1 - now) / (A_SECOND + 1 - len(self._told))
