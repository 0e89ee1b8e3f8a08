"""The executions that wait for capacity, and those that use it."""

import asyncio
import heapq
from itertools import count

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.supervisor import clock


class RunQueue:
    """The highest priority first, then in order of arrival; at most `capacity` at once.

    Attributes:
        changed: set when an execution may be able to start.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._running: set[str] = set()
        self._heap: list[tuple[int, int, Execution]] = []
        self._expiries: list[tuple[int, int, Execution]] = []
        self._waiting: set[str] = set()
        self._arrivals = count()
        self.changed = asyncio.Event()

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def add(self, execution: Execution) -> None:
        """Lets an execution with an order wait for capacity."""
        self._push(execution)
        self.changed.set()

    def put_back(self, execution: Execution) -> None:
        """Lets an execution wait again that could not start. Does not set `changed`."""
        self._running.discard(execution.id)
        self._push(execution)

    def try_reserve(self, execution_id: str) -> bool:
        """Reserves capacity without waiting. False if there is none, or if others wait."""
        if self._waiting or len(self._running) >= self._capacity:
            return False
        self._running.add(execution_id)
        return True

    def reserve(self, execution_id: str) -> None:
        """Counts an execution that runs already, also if that exceeds the capacity."""
        self._running.add(execution_id)

    def release(self, execution_id: str) -> None:
        """An execution waits no longer, and uses no capacity."""
        self._waiting.discard(execution_id)
        self._running.discard(execution_id)
        self.changed.set()

    def pop_ready(self) -> Execution | None:
        """The next execution to start, if there is capacity. It uses capacity from now on."""
        while self._heap and len(self._running) < self._capacity:
            execution = heapq.heappop(self._heap)[2]
            if execution.id in self._waiting:
                self._waiting.discard(execution.id)
                self._running.add(execution.id)
                return execution
        return None

    def pop_expired(self) -> Execution | None:
        """An execution that waited past its `start_before`. It waits no longer."""
        seconds = self.next_expiry()
        if seconds is None or seconds > 0:
            return None
        execution = heapq.heappop(self._expiries)[2]
        self._waiting.discard(execution.id)
        return execution

    def next_expiry(self) -> float | None:
        """Seconds until an execution has waited too long; None if none will."""
        while self._expiries and self._expiries[0][2].id not in self._waiting:
            heapq.heappop(self._expiries)
        if not self._expiries:
            return None
        return max(0.0, (self._expiries[0][0] - clock.now()) / clock.SECOND)

    def _push(self, execution: Execution) -> None:
        order = execution.order
        if order is None:
            raise ValueError(f"the execution {execution.id} has no order")
        heapq.heappush(self._heap, (-order.priority, next(self._arrivals), execution))
        self._waiting.add(execution.id)
        if order.start_before:
            heapq.heappush(self._expiries, (order.start_before, next(self._arrivals), execution))
