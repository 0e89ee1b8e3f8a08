"""The vitals of one host over the last hour, a point a minute. In memory only, and compact: an hour
of a host takes about 300 bytes."""

from datetime import datetime, timedelta

from tui_manager.domain.hosts.vitals import HISTORY_MINUTES, Vitals, VitalsPoint

_SECONDS = 60.0
_STEPS = 2  # a stored percentage is a multiple of 1/2
_NOTHING = 255  # no vitals came in that minute
_FIELDS = 2  # cpu and memory


class VitalsHistory:
    """The mean of each minute. It goes on when another session of the host begins; minutes in which
    nothing came are a gap.

    Minutes are those of the monotonic clock: they stay one minute long when the wall clock is set.
    """

    __slots__ = ("_count", "_cpu", "_memory", "_minute", "_stored")

    def __init__(self) -> None:
        self._stored = bytearray()  # two bytes a minute; empty before the first vitals
        self._minute = 0  # that is measured now
        self._count = 0  # vitals in it
        self._cpu = self._memory = 0.0  # sums of these

    def add(self, vitals: Vitals, monotonic: float) -> None:
        """Takes vitals that came now, `monotonic` in seconds."""
        minute = int(monotonic / _SECONDS)
        if not self._stored:
            self._stored = bytearray([_NOTHING] * (HISTORY_MINUTES * _FIELDS))
            self._minute = minute
        if minute != self._minute:
            self._begin(minute)
        self._count += 1
        self._cpu += vitals.cpu_percent
        self._memory += vitals.memory_percent
        place = minute % HISTORY_MINUTES * _FIELDS
        self._stored[place] = _packed(self._cpu / self._count)
        self._stored[place + 1] = _packed(self._memory / self._count)

    def points(self, now: datetime, monotonic: float) -> tuple[VitalsPoint, ...]:
        """The minutes of the last hour that have vitals, the oldest first.

        Args:
            now: the wall clock at `monotonic`, which is in seconds.
        """
        if not self._stored:
            return ()
        current = int(monotonic / _SECONDS)
        found = []
        for minute in range(current - HISTORY_MINUTES + 1, self._minute + 1):
            place = minute % HISTORY_MINUTES * _FIELDS
            cpu, memory = self._stored[place], self._stored[place + 1]
            if cpu != _NOTHING:
                at = now - timedelta(seconds=monotonic - minute * _SECONDS)
                found.append(VitalsPoint(at, cpu / _STEPS, memory / _STEPS))
        return tuple(found)

    def _begin(self, minute: int) -> None:
        """Begins another minute. The minutes between have no vitals."""
        passed = range(self._minute + 1, minute)[-HISTORY_MINUTES:]
        for empty in passed:
            place = empty % HISTORY_MINUTES * _FIELDS
            self._stored[place] = self._stored[place + 1] = _NOTHING
        self._minute, self._count = minute, 0
        self._cpu = self._memory = 0.0


def _packed(percent: float) -> int:
    return round(min(max(percent, 0.0), 100.0) * _STEPS)
