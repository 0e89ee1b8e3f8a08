"""How fast files go to and from hosts, from what is read of running copies and fetches. A file of
its own, because it is tested without a screen."""

from collections import deque
from datetime import datetime, timedelta

from tui_manager.domain.tasks.task import CommandHost

_SPAN = timedelta(seconds=6)  # the rate is that of so long
_KEPT = 2_000  # executions


class TransferRates:
    """The newest readings of each execution."""

    def __init__(self) -> None:
        self._readings: dict[str, deque[tuple[datetime, int]]] = {}

    def note(self, row: CommandHost, at: datetime) -> None:
        """Takes a reading of a row that was read at this time."""
        if row.transfer is None or row.status.ended:
            self._readings.pop(row.execution_id, None)
            return
        if len(self._readings) > _KEPT:
            self._readings.clear()
        readings = self._readings.setdefault(row.execution_id, deque())
        if not readings or readings[-1][0] < at:
            readings.append((at, row.transfer.bytes))
        while len(readings) > 2 and readings[1][0] <= at - _SPAN:
            readings.popleft()

    def rate(self, row: CommandHost) -> float | None:
        """Bytes a second; None: there was one reading only."""
        readings = self._readings.get(row.execution_id)
        if readings is None or len(readings) < 2:
            return None
        (began, first), (ended, last) = readings[0], readings[-1]
        return max(0, last - first) / (ended - began).total_seconds()
