"""The rule of the heartbeat: how often agents report, and when a session without a message ends.

The manager tells each agent its heartbeat. The larger the fleet, the longer it is, so that all
agents together never cost more than `BEATS_A_SECOND`. A session is judged by the heartbeat that
its own agent was told. The transport looks for silent sessions (`sessions/command_port.py`), and
refuses vitals that come too often (`messages/message_rates.py`).
"""

import math
from datetime import timedelta

BEATS_A_SECOND = 500  # of all agents together; each costs the manager 0.2 to 0.3 ms of CPU
ALIVE = 2  # heartbeats; an agent that was heard within them is there
SILENT = 3  # heartbeats; a session without a message for longer is ended
_LONGEST = timedelta(seconds=60)  # however many agents there are
_SLACK = 0.8  # of what fits: only a fleet that has shrunk below that is told to beat faster


class FleetHeartbeat:
    """The heartbeat that agents are told: the shortest one while all agents fit into
    `BEATS_A_SECOND`, then two, three… times as long. It changes in steps, so that agents are told
    anew a few times, and not each time that an agent comes or goes.

    Attributes:
        current: what an agent is told now.
    """

    def __init__(self, shortest: timedelta, lost_after: timedelta) -> None:
        """
        Args:
            shortest: the operator's setting.
            lost_after: no heartbeat is so long that a silent session would end later than this.
        """
        self.current = shortest
        self._shortest = shortest
        self._factor = 1
        self._factor_max = max(1, min(_LONGEST, lost_after / SILENT) // shortest)
        self._agents_a_factor = BEATS_A_SECOND * shortest.total_seconds()

    def update(self, agents: int) -> None:
        """So many agents are connected now."""
        fit = self._agents_a_factor
        if agents > fit * self._factor or agents < _SLACK * fit * (self._factor - 1):
            self._factor = max(1, min(self._factor_max, math.ceil(agents / fit)))
            self.current = self._factor * self._shortest


class SessionHeartbeat:
    """The heartbeat of one session.

    Attributes:
        interval: what its agent was told last.
    """

    def __init__(self, interval: timedelta) -> None:
        self.interval = interval
        self._earlier = 0.0  # seconds: the longer interval that the agent may still keep
        self._earlier_until = 0.0  # monotonic seconds

    def change(self, interval: timedelta, monotonic: float) -> None:
        """The agent is told another interval. It may be waiting for the end of a longer one. The
        session is judged by the longer one until three of those have passed."""
        self._earlier = self._expected(monotonic)
        self._earlier_until = monotonic + SILENT * self._earlier
        self.interval = interval

    def is_alive(self, heard_at: float, monotonic: float) -> bool:
        """Whether an agent that was heard at `heard_at` is surely there."""
        return monotonic - heard_at < ALIVE * self._expected(monotonic)

    def is_silent(self, heard_at: float, monotonic: float) -> bool:
        """Whether an agent that was heard at `heard_at` is surely gone."""
        return monotonic - heard_at > SILENT * self._expected(monotonic)

    def _expected(self, monotonic: float) -> float:
        """Seconds within which the agent reports."""
        interval = self.interval.total_seconds()
        return max(interval, self._earlier) if monotonic < self._earlier_until else interval
