"""A fleet in the middle of a day's work, the same each time: for snapshots and screenshots."""

import hashlib
import io
import math
import pickle
from dataclasses import is_dataclass, replace
from datetime import timedelta
from typing import Any

from tui_manager_protos.rules.fingerprint import fingerprint

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.seeded.seeded_schedules import LACKS_KEEP, add_history, save_templates
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.vitals import HISTORY_MINUTES, Disk, Vitals, VitalsPoint
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.manager_status import Health
from tui_manager.domain.status import Admission, Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.transitions import Operation

UPGRADE = "apt-get -y -q upgrade"


def wave(seed: int, top: float) -> tuple[float, ...]:
    """Readings that look like a day's load."""
    return tuple(
        round(top * (0.55 + 0.45 * math.sin(seed * 1.7 + step * 0.9)), 1) for step in range(20)
    )


def words(name: str) -> str:
    """The fingerprint of a key that a host of this name could have."""
    return fingerprint(hashlib.sha256(name.encode()).digest())


async def seeded_fleet() -> FakeOperator:
    """Fourteen web servers, three databases, a pending host; six tasks; output of the newest;
    templates and schedules. Each process makes it once, and then copies of it."""
    if not _MADE:
        made = io.BytesIO()
        _Pickler(made).dump(await _make_fleet())
        _MADE.append(made.getvalue())
    fleet = _Unpickler(io.BytesIO(_MADE[0])).load()
    assert isinstance(fleet, FakeOperator)
    return fleet


_MADE: list[bytes] = []  # the fleet
_FROZEN: list[object] = []  # the frozen dataclasses in it, which its copies share


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> int | None:
        """To copy a thousand objects that never change took a tenth of the time of a test."""
        kind = type(obj)
        if not is_dataclass(kind) or kind.__setattr__ is object.__setattr__:
            return None
        _FROZEN.append(obj)
        return len(_FROZEN) - 1


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, number: int) -> object:
        return _FROZEN[number]


async def _make_fleet() -> FakeOperator:
    fleet = FakeOperator()
    fleet.security = "mTLS"
    _hosts(fleet)
    fleet.health = Health(
        sessions=15, commands_per_second=2.4, bytes_per_second=18_300, commit_seconds=0.0021,
        loop_lag_seconds=0.004, memory_bytes=88_000_000, cpu_percent=3, database_bytes=41_600_000,
    )  # fmt: skip
    fleet.attention = (
        Alert("web04 is offline for 42 s.", fleet.hosts["web04"].host_id),
        Alert("1 host waits to be approved.", hosts="state=pending"),
        Alert(f"Schedule backup cannot start a task: {LACKS_KEEP}", schedule="backup"),
    )
    await save_templates(fleet)
    await _old_tasks(fleet)
    _host_asked(fleet)
    rotation = await _saved_rotation(fleet)
    await _upgrade(fleet)
    await _rotate(fleet, rotation)
    why = "Another host is known as web03."
    fleet.record("refuse_host", actor="manager", text=why, name="web03", count="11")
    await _spec(fleet, "restart web", "env=prod", "systemctl restart nginx", start=False)
    return fleet


def _hosts(fleet: FakeOperator) -> None:
    for number in range(1, 15):
        fleet.add_host(
            f"web{number:02}",
            labels={"env": "prod" if number <= 10 else "test", "role": "web"},
            cpu=wave(number, 6 + number * 6.4),
            memory=0.31 + number * 0.02,
            running=1 if number in (6, 9) else 0,
            ago=timedelta(days=2, minutes=number),
            fingerprint=words(f"web{number:02}"),
        )
    for number in (1, 2, 3):
        fleet.add_host(
            f"db{number}",
            labels={"env": "prod", "role": "db"},
            cpu=wave(number + 20, 35),
            memory=0.7 + number * 0.08,
            ago=timedelta(days=9),
            fingerprint=words(f"db{number}"),
        )
    fleet.add_host(
        "db9", admission=Admission.PENDING, ago=timedelta(minutes=3), fingerprint=words("db9")
    )
    fleet.change_host("web04", online=False, vitals=None, since=fleet.now() - timedelta(seconds=42))
    for name, host in fleet.hosts.items():
        if isinstance(host.vitals, Vitals):
            disks = (Disk("/", 21 << 30, 64 << 30), Disk("/var/lib", 180 << 30, 500 << 30))
            vitals = replace(host.vitals, disks=disks, uptime=timedelta(days=41, hours=3))
            fleet.change_host(name, vitals=vitals)
    for number, host in enumerate(fleet.hosts.values()):
        if host.admission is Admission.ADMITTED:
            _known(fleet, host, number)


def _known(fleet: FakeOperator, host: Host, number: int) -> None:
    """The last hour of a host, with a gap on every fourth one; its facts; who admitted it."""
    now = fleet.now()
    gap = range(20, 26) if number % 4 == 3 else ()
    cpu = host.cpu_history[-1] if host.cpu_history else 10.0
    fleet.vitals_history[host.host_id] = tuple(
        VitalsPoint(
            now - timedelta(minutes=minutes),
            round(min(100.0, cpu * (1 + 0.6 * math.sin((minutes + number) / 6))) * 2) / 2,
            host.vitals.memory_percent if host.vitals else 40.0,
        )
        for minutes in range(HISTORY_MINUTES - 1, -1, -1)
        if minutes not in gap and (host.online or minutes > 0)
    )
    fleet.facts[host.host_id] = {
        "os": "debian", "os_version": "12", "os_name": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-28-amd64", "cores": "8", "cpu": "AMD EPYC 7543", "memory_gib": "16",
        "virtualisation": "kvm", "zone": "Europe/Berlin", "boot_time": "2026-01-20T10:12:44Z",
        "address": f"10.0.1.{number + 10}", "disk./": "64 GiB ext4", "rack": f"r{number % 3 + 1}",
    }  # fmt: skip
    fleet.admissions[host.host_id] = (now - timedelta(days=24), "ana@pts/3")


def _host_asked(fleet: FakeOperator) -> None:
    """A token was made, and a host has asked with it."""
    now = fleet.clock
    fleet.clock = now - timedelta(minutes=4)
    fleet.record("create_token", seconds="900", uses="1", labels="env=prod,role=db")
    fleet.clock = now - timedelta(minutes=3)
    fleet.record("enroll_host", actor="host db9", host=fleet.hosts["db9"], key=words("db9"))
    fleet.clock = now


async def _spec(
    fleet: FakeOperator, name: str, target: str, *commands: str, start: bool = True, by: str = ""
) -> int:
    steps = tuple(CommandSpec(text, timedelta(minutes=5)) for text in commands)
    task_id = await fleet.create_task(TaskSpec(target, steps, name, created_by=by))
    if start:
        await fleet.start_task(task_id)
    return task_id


async def _old_tasks(fleet: FakeOperator) -> None:
    now = fleet.clock
    fleet.clock = now - timedelta(hours=3, minutes=10)
    uptime = await _spec(fleet, "uptime", "web[01-03]", "uptime")
    for name in ("web01", "web02", "web03"):
        execution = fleet.execution(uptime, name)
        fleet.emit(execution, f" 10:53:22 up 41 days, load average: 0.1{name[-1]}\n".encode())
        fleet.finish(execution)
    fleet.clock = now.replace(hour=11, minute=0, second=0)
    commands = ("df -h /var/lib", "pg_isready")
    disk = await _spec(fleet, "check disk", "role=db", *commands, by="schedule:disk")
    fleet.audit[-2:] = [replace(entry, actor="schedule:disk") for entry in fleet.audit[-2:]]
    fleet.clock += timedelta(seconds=2)
    for name in ("db1", "db2", "db3"):
        execution = fleet.execution(disk, name)
        fleet.emit(execution, b"/dev/sdb1  500G  180G  320G  36% /var/lib\n")
        fleet.finish(execution)
        fleet.finish(fleet.execution(disk, name, 1), 2 if name == "db2" else 0)
    fleet.clock = now - timedelta(minutes=50)
    backup = await _spec(fleet, "备份 🚀 nightly backup", "db2", "pg_dump --all | gzip > $BACKUP")
    fleet.emit(fleet.execution(backup, "db2"), "正在备份数据库 … 42%\n".encode())
    await fleet.cancel_task(backup)
    fleet.clock += timedelta(minutes=12)
    fleet.apply(
        fleet.execution(backup, "db2"), Operation.CONFIRM_CANCEL, Reason.CANCELED,
        kill_incomplete=True, detail="pid 4711 of user postgres",
    )  # fmt: skip
    await add_history(fleet, disk)
    fleet.clock = now


async def _saved_rotation(fleet: FakeOperator) -> int:
    """A task that is started later."""
    now = fleet.clock
    fleet.clock = now - timedelta(seconds=48)
    command = "logrotate -f /etc/logrotate.conf"
    task_id = await _spec(fleet, "rotate logs", "@all", command, start=False)
    fleet.clock = now
    return task_id


async def _rotate(fleet: FakeOperator, task: int) -> None:
    now = fleet.clock
    fleet.clock = now - timedelta(seconds=7)
    await fleet.start_task(task)
    for name in ("db1", "db2", "web01"):
        fleet.finish(fleet.execution(task, name))
    fleet.clock = now


async def _upgrade(fleet: FakeOperator) -> None:
    now = fleet.clock
    fleet.clock = now - timedelta(seconds=41)
    task = await _spec(fleet, "upgrade packages", "role=web", UPGRADE)
    names = [name for name in sorted(fleet.hosts) if name.startswith("web") and name != "web04"]
    for name in names:
        fleet.emit(fleet.execution(task, name), b"Reading package lists...\r")
        fleet.emit(fleet.execution(task, name), b"Reading package lists... Done\n")
    fleet.clock = now - timedelta(seconds=29)
    for name in ("web03", "web13"):
        execution = fleet.execution(task, name)
        fleet.emit(
            execution,
            b"\x1b[1;31mE:\x1b[0m Could not get lock /var/lib/dpkg/lock-frontend. "
            b"It is held by process 812 (unattended-upgr)\n",
            Stream.STDERR,
        )
        fleet.finish(execution, 100)
    fleet.clock = now - timedelta(seconds=10)
    for name in names:
        execution = fleet.execution(task, name)
        if name in ("web03", "web13"):
            continue
        fleet.emit(execution, b"Calculating upgrade... \x1b[32mDone\x1b[0m\n")
        if name in ("web06", "web09"):
            fleet.emit(execution, b"Get:14 http://deb [updates] libssl3 3.0.15-1 [2,027 kB]\n")
            fleet.emit(execution, b"\x1b[7mProgress: [ 61%]\x1b[0m [#########......]\r")
        else:
            fleet.emit(execution, b"0 upgraded, 0 newly installed, 0 to remove.\n")
            fleet.finish(execution)
    fleet.clock = now
