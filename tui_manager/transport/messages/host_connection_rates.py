"""How often one host may connect and change its name or machine."""

import logging
from collections.abc import Callable

from tui_manager.transport.messages.token_bucket import Rate, TokenBucket, TokenBuckets

log = logging.getLogger(__name__)
# An agent connects at most about every 0.5 s, and less often after each failure. When a fleet comes
# back, many hosts connect, but each of them once.
CONNECTIONS_OF_A_HOST = Rate(per_second=2, burst=50)
# Each change of name or machine is written into the audit. A correct agent makes one only when its
# owner starts it again.
IDENTITY_CHANGES = Rate(per_second=1 / 60, burst=10)
_VIOLATION_COST = 10  # connections
# Executions in a Hello that cost as much as one connection. A Hello may name 50,000, which cost 40.
_EXECUTIONS_PER_CONNECTION = 1250
_LOG_LINES = Rate(per_second=0.1, burst=5)  # log lines, however many hosts connect


class HostConnectionRates:
    """Limits how often each host connects and changes its name or machine."""

    def __init__(self, monotonic: Callable[[], float], rate: Rate = CONNECTIONS_OF_A_HOST) -> None:
        """`monotonic` returns seconds."""
        self._hosts = TokenBuckets(rate, monotonic)
        self._identity_changes = TokenBuckets(IDENTITY_CHANGES, monotonic)
        self._burst = rate.burst
        self._log_lines = TokenBucket(_LOG_LINES, monotonic)

    def wait(self, host_id: str, held: int = 0) -> float:
        """Counts a connection. Returns 0.0 if it is accepted, otherwise seconds until the next try.

        Args:
            held: number of executions in its Hello; the manager must answer for each.
        """
        bucket = self._hosts.of(host_id)
        cost = min(1 + held / _EXECUTIONS_PER_CONNECTION, self._burst)
        if bucket.take(cost):
            return 0.0
        if self._log_lines.take():
            log.warning("a host connects too often", extra={"host_id": host_id})
        return bucket.wait(cost)

    def identity_change_delay(self, host_id: str) -> float:
        """Seconds until the host may change its name or machine. Counts nothing."""
        return self._identity_changes.of(host_id).wait()

    def count_identity_change(self, host_id: str) -> None:
        """Counts that the host was accepted with another name or machine."""
        self._identity_changes.of(host_id).drain(1)

    def slow_down(self, host_id: str) -> None:
        """The host violated the protocol: it may connect less often for a while."""
        self._hosts.of(host_id).drain(_VIOLATION_COST)
