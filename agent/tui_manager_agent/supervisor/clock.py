"""The host's boot-time clock: counts while the host sleeps, knows nothing of wall clocks. A
file of its own, because agent and supervisor both measure time with it and share little else."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
SECOND = 1_000_000_000
MILLISECOND = 1_000_000


def now() -> int:
    """Nanoseconds since the host booted; comparable between processes of one boot only."""
    return time.clock_gettime_ns(_CLOCK)
