"""What a host measures of itself: CPU, memory, disks, load; and how much of it the manager keeps.

The hosts that have vitals are in `host.py`; what an agent says of its machine is in `facts.py`."""

from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

CPU_READINGS = 30  # of the newest measurements of a host
HISTORY_MINUTES = 60  # of the vitals of a host


@dataclass(frozen=True, slots=True)
class Disk:
    """One mounted file system; sizes in bytes."""

    mount: str
    used: int
    total: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """The newest measurements of a host; kept in memory only.

    Attributes:
        cpu_percent: of all cores together, 0 to 100.
        memory_used, memory_total: bytes.
        running: executions that run on the host; the manager counts them by their reports.
        queued: executions that wait for capacity there.
        skew: the host's wall clock minus the manager's.
    """

    cpu_percent: float = 0.0
    load_1m: float = 0.0
    memory_used: int = 0
    memory_total: int = 0
    disks: tuple[Disk, ...] = ()
    running: int = 0
    queued: int = 0
    cores: int = 0
    uptime: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)

    @property
    def memory_percent(self) -> float:
        """Used memory, 0 to 100; 0 when the total is not known."""
        return 100 * self.memory_used / self.memory_total if self.memory_total else 0.0


@dataclass(frozen=True, slots=True)
class VitalsPoint:
    """The mean vitals of a host in one minute.

    Attributes:
        at: when that minute began.
        cpu_percent, memory_percent: 0 to 100, to a half.
    """

    at: datetime
    cpu_percent: float
    memory_percent: float
