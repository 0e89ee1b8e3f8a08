"""How often an agent may send messages over one stream: their items, vitals and facts, and how many
unknown executions it may report."""

from collections.abc import Callable
from datetime import timedelta

from tui_manager.transport.messages.token_bucket import Rate, TokenBucket

# An agent reports at most every 3 ms. If the manager is stalled, messages queue in the connection
# and arrive at once afterwards. Therefore the burst is that of a minute.
WORK = Rate(per_second=5_000, burst=100_000)  # messages and their items
UNKNOWN = Rate(per_second=10, burst=1_000)  # executions that are not known, or have another result
FACTS = Rate(per_second=1, burst=60)  # a correct agent looks for a change every 5 s
VITALS_A_HEARTBEAT = 4  # of the shortest heartbeat that the manager sets
_VITALS_AT_ONCE = 1_000


class MessageRates:
    """How much of its rates one stream has used. Each method returns False if it is too much."""

    __slots__ = ("_facts", "_unknown", "_vitals", "_work")

    def __init__(
        self, heartbeat: timedelta, monotonic: Callable[[], float], unknown: TokenBucket | None
    ) -> None:
        """
        Args:
            monotonic: returns seconds.
            unknown: bucket for all streams of one host; None: this stream gets its own.
        """
        vitals = Rate(VITALS_A_HEARTBEAT / heartbeat.total_seconds(), _VITALS_AT_ONCE)
        self._work = TokenBucket(WORK, monotonic)
        self._vitals = TokenBucket(vitals, monotonic)
        self._facts = TokenBucket(FACTS, monotonic)
        self._unknown = unknown or TokenBucket(UNKNOWN, monotonic)

    def count_report(self, items: int) -> bool:
        """Counts a report with so many items."""
        return self._work.take(1 + items)

    def count_vitals(self) -> bool:
        """Counts the vitals of a report."""
        return self._vitals.take()

    def count_facts(self) -> bool:
        """Counts the facts of a report."""
        return self._facts.take()

    def count_unknown(self, executions: int) -> bool:
        """Counts executions that are not in the database, or have another result there."""
        return self._unknown.take(executions)
