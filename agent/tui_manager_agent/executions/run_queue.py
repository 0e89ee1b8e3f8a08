"""Whose turn it is: the executions that wait for capacity, and those that hold it."""

import heapq
from itertools import count

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.supervisor import clock


class Turns:
    """The highest priority first, then in order of arrival; at most `capacity` at once."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._holders: set[str] = set()
        self._heap: list[tuple[int, int, Execution]] = []
        self._limits: list[tuple[int, int, Execution]] = []
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
        if limit := int(execution.order.get("start_before", 0)):
            heapq.heappush(self._limits, (limit, next(self._arrivals), execution))

    def take(self, execution_id: str) -> bool:
        """Holds capacity from now on without having waited; False if there is none, or a queue."""
        if self._waiting or len(self._holders) >= self._capacity:
            return False
        self._holders.add(execution_id)
        return True

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

    def expired(self) -> Execution | None:
        """Somebody who has waited past its `start_before`, and no longer waits from now on."""
        limit = self.next_expiry()
        if limit is None or limit > 0:
            return None
        execution = heapq.heappop(self._limits)[2]
        self._waiting.discard(execution.id)
        return execution

    def next_expiry(self) -> float | None:
        """Seconds until somebody has waited too long; None if nobody will."""
        while self._limits and self._limits[0][2].id not in self._waiting:
            heapq.heappop(self._limits)
        if not self._limits:
            return None
        return max(0.0, (self._limits[0][0] - clock.now()) / clock.SECOND)
