"""Whose turn it is: the executions that wait for capacity, and those that hold it."""

import heapq
from itertools import count

from tui_manager_agent.execution import Execution
from tui_manager_agent.supervisor import clock


class Turns:
    """The highest priority first, then in order of arrival; at most `capacity` at once."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._holders: set[str] = set()
        self._heap: list[tuple[int, int, Execution]] = []
        self._waiting: set[str] = set()
        self._arrivals = count()

    @property
    def running(self) -> int:
        return len(self._holders)

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def join(self, execution: Execution) -> None:
        """Waits for a turn."""
        priority = int(execution.order["priority"])
        heapq.heappush(self._heap, (-priority, next(self._arrivals), execution))
        self._waiting.add(execution.id)

    def leave(self, execution_id: str) -> None:
        """Waits no longer, and holds nothing."""
        self._waiting.discard(execution_id)
        self._holders.discard(execution_id)

    def hold(self, execution_id: str) -> None:
        """Runs already, whatever the capacity says."""
        self._holders.add(execution_id)

    def next(self) -> Execution | None:
        """Whoever may start now, and holds capacity from now on."""
        while self._heap and len(self._holders) < self._capacity:
            execution = heapq.heappop(self._heap)[2]
            if execution.id in self._waiting:
                self._waiting.discard(execution.id)
                self._holders.add(execution.id)
                return execution
        return None

    def expired(self) -> list[Execution]:
        """Who has waited past its `start_before`."""
        now = clock.now()
        return [e for e in self._still_waiting() if 0 < _start_before(e) <= now]

    def next_expiry(self) -> float | None:
        """Seconds until somebody has waited too long; None if nobody will."""
        limits = [limit for e in self._still_waiting() if (limit := _start_before(e))]
        return max(0.0, (min(limits) - clock.now()) / clock.SECOND) if limits else None

    def _still_waiting(self) -> list[Execution]:
        return [execution for _, _, execution in self._heap if execution.id in self._waiting]


def _start_before(execution: Execution) -> int:
    return int(execution.order.get("start_before", 0))
