"""What a process weighs, as seen from outside."""

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil

MIB = 1 << 20
_SCHEDULER_CLOCK = 2  # in the number of a process's CPU clock, see clock_getcpuclockid(3)


@dataclass(slots=True)
class Weight:
    """Of one process: bytes, and open file descriptors. PSS shares what several processes map;
    where the system does not tell it, it is None."""

    rss: int
    pss: int | None
    descriptors: int

    @property
    def memory(self) -> int:
        """PSS where it is told, else RSS."""
        return self.rss if self.pss is None else self.pss


def weigh(pid: int) -> Weight | None:
    """None for a process that has gone."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        memory = process.memory_full_info()
        return Weight(memory.rss, getattr(memory, "pss", None), process.num_fds())
    return None


def memory_of(pid: int) -> int:
    """Bytes of a process that lives."""
    weight = weigh(pid)
    if weight is None:
        raise ProcessLookupError(f"There is no process {pid}.")
    return weight.memory


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used."""
    if sys.platform == "linux":
        # The process's own clock counts in nanoseconds; what /proc tells is in hundredths.
        with suppress(OSError):
            return time.clock_gettime(~pid << 3 | _SCHEDULER_CLOCK)
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def cpu_of_children(pid: int) -> float:
    """CPU seconds of what a process has started and waited for, in hundredths."""
    times = psutil.Process(pid).cpu_times()
    return float(times.children_user + times.children_system)


@dataclass(slots=True)
class CpuMeter:
    """CPU that a process uses from now on."""

    pid: int
    _at: float = 0.0
    _used: float = 0.0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> Self:
        """Counts from now on."""
        self._at, self._used = time.monotonic(), cpu_of(self.pid)
        return self

    @property
    def seconds(self) -> float:
        """CPU seconds since then."""
        return cpu_of(self.pid) - self._used

    @property
    def share(self) -> float:
        """Of one core."""
        return self.seconds / max(time.monotonic() - self._at, 1e-9)
