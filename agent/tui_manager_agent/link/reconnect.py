"""Whether the agent dials again after a stream has ended, and after which pause. A file of
its own, because `link.py` knows one stream and this counts the failures of many."""

import random

from tui_manager_agent.link.stream_endings import FATAL, RefusedByManagerError, StreamEnd, describe

FIRST_PAUSE = 1.0  # seconds
LONGEST_PAUSE = 30.0  # seconds


class Reconnect:
    """Counts failures in a row, and decides when to dial again."""

    def __init__(self, random_source: random.Random) -> None:
        self._random = random_source
        self._failures = 0

    def pause_after(self, end: StreamEnd) -> float:
        """Seconds until the next dial, with full jitter. Raises RefusedByManagerError."""
        if end.ending in FATAL:
            raise RefusedByManagerError(describe(end))
        if end.was_steady:
            self._failures = 0
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return end.retry_after + self._random.uniform(0, ceiling)
