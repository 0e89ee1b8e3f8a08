"""The newest session of a host, and whether its agent is still there."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from tui_manager.domain.features import Feature

_ALIVE = 2  # heartbeats within which a session was heard to count as alive
_SILENT = 3  # heartbeats without a message until it is ended
UNKNOWN_MAX = 1000  # of one session


@dataclass(slots=True)
class LiveSession:
    """One session. It is judged by the heartbeat that its agent was told.

    Attributes:
        heard_at: on the monotonic clock, in seconds.
        heartbeat: what its agent was told last.
        unknown: executions that the agent holds and the database does not know; at most
            `UNKNOWN_MAX` are remembered.
        busy: what it said last is still being stored.
        runs: executions that run on its host, as far as its agent has said.
        features: what its agent can do.
    """

    generation: int
    instance_id: str
    heard_at: float
    heartbeat: timedelta
    busy: bool = False
    unknown: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    features: frozenset[Feature] = frozenset()
    _longer: float = 0.0  # seconds: what it was told before, and keeps to until it has heard
    _longer_until: float = 0.0  # monotonic seconds

    def tell(self, heartbeat: timedelta, monotonic: float) -> None:
        """Its agent is told another heartbeat. It may be waiting for the end of a longer one, and
        is judged by that until even three of those would have passed."""
        self._longer = self._expected(monotonic)
        self._longer_until = monotonic + _SILENT * self._longer
        self.heartbeat = heartbeat

    def is_alive(self, monotonic: float) -> bool:
        """Whether its agent was heard so lately that it is there."""
        return self.busy or monotonic - self.heard_at < _ALIVE * self._expected(monotonic)

    def is_silent(self, monotonic: float) -> bool:
        """Whether its agent was not heard for so long that it is gone."""
        return not self.busy and monotonic - self.heard_at > _SILENT * self._expected(monotonic)

    def _expected(self, monotonic: float) -> float:
        """Seconds within which its agent reports."""
        told = self.heartbeat.total_seconds()
        return max(told, self._longer) if monotonic < self._longer_until else told

    def does_not_know(self, execution_ids: Iterable[str]) -> None:
        """Remembers executions that the database does not know."""
        room = UNKNOWN_MAX - len(self.unknown)
        self.unknown.update(itertools.islice(execution_ids, room))
