"""What this host says of itself at its enrolment, in every Hello, and in every heartbeat."""

import os
import socket
import time
from collections.abc import Mapping
from typing import TypedDict

import psutil
from tui_manager_protos.rules.protocol_version import PROTOCOL_VERSION
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent import __version__
from tui_manager_agent.executions.convert_messages import to_duration
from tui_manager_agent.identity.identity import machine_id
from tui_manager_agent.settings import Settings
from tui_manager_agent.supervisor import clock

DISKS_EVERY = 60.0  # seconds
DISKS_MAX = 16


class HostDescription(TypedDict):
    """Fields that Hello and EnrollRequest both have."""

    protocol_version: int
    agent_version: str
    name: str
    machine_id: str
    hostname: str
    os: str
    arch: str
    labels: Mapping[str, str]


def describe_host(settings: Settings) -> HostDescription:
    """This host, with what its owner has set."""
    system = os.uname()
    return HostDescription(
        protocol_version=PROTOCOL_VERSION,
        agent_version=__version__,
        name=settings.name,
        machine_id=machine_id(),
        hostname=socket.gethostname(),
        os=system.sysname.lower(),
        arch=system.machine,
        labels=settings.labels,
    )


class Vitals:
    """Measures this host, cheaply enough for every few seconds.

    The first CPU figure covers the time since the object was made.
    """

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
    """Local disks, each device once. A dead network disk would never answer."""
    disks: dict[str, wire.Disk] = {}
    for partition in psutil.disk_partitions(all=False):
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:
            continue
        disk = wire.Disk(mount=partition.mountpoint, used=usage.used, total=usage.total)
        disks.setdefault(partition.device, disk)
        if len(disks) == DISKS_MAX:
            break
    return list(disks.values())
