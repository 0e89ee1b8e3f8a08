"""How the host is doing: cheap enough to ask every few seconds."""

import os
import time

import psutil
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.conversion import to_duration
from tui_manager_agent.supervisor import clock

DISKS_EVERY = 60.0  # seconds
MOST_DISKS = 16


class Vitals:
    """Measures; the first cpu figure covers the time since the object was made."""

    def __init__(self) -> None:
        psutil.cpu_percent(None)
        self._cores = os.cpu_count() or 1
        self._disks: list[wire.Disk] = []
        self._disks_due = 0.0

    def measure(self, *, running: int, queued: int) -> wire.Vitals:
        memory = psutil.virtual_memory()
        if time.monotonic() >= self._disks_due:
            self._disks = _disks()
            self._disks_due = time.monotonic() + DISKS_EVERY
        vitals = wire.Vitals(
            cpu_percent=psutil.cpu_percent(None),
            load_1m=os.getloadavg()[0],
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
            disks=self._disks,
            running=running,
            queued=queued,
            cores=self._cores,
            uptime=to_duration(clock.now()),
        )
        vitals.clock.GetCurrentTime()
        return vitals


def _disks() -> list[wire.Disk]:
    """Local disks, each device once: asking a dead network disk would hang."""
    disks: dict[str, wire.Disk] = {}
    for partition in psutil.disk_partitions(all=False):
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:
            continue
        disk = wire.Disk(mount=partition.mountpoint, used=usage.used, total=usage.total)
        disks.setdefault(partition.device, disk)
        if len(disks) == MOST_DISKS:
            break
    return list(disks.values())
