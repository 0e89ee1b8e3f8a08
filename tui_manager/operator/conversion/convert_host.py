"""Hosts and their vitals between the wire and the domain."""

from datetime import datetime

from tui_manager_protos.v1 import agent_pb2 as agent
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.hosts.host import Host, HostDetail, HostRun
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import Disk, Vitals, VitalsPoint
from tui_manager.domain.status import Admission
from tui_manager.operator.conversion import convert_task
from tui_manager.operator.conversion.convert_values import (
    duration,
    instant,
    moment,
    timestamp,
    word,
)

ADMISSIONS = {
    Admission.PENDING: agent.ADMISSION_PENDING,
    Admission.ADMITTED: agent.ADMISSION_ADMITTED,
    Admission.REVOKED: agent.ADMISSION_REVOKED,
    Admission.REJECTED: agent.ADMISSION_REJECTED,
}


def host_to_wire(host: Host) -> wire.Host:
    return wire.Host(
        host_id=host.host_id,
        name=host.name,
        labels=host.labels,
        admission=ADMISSIONS[host.admission],
        online=host.online,
        since=timestamp(host.since),
        address=host.address,
        os=host.os,
        arch=host.arch,
        agent_version=host.agent_version,
        capacity=host.capacity,
        vitals=None if host.vitals is None else _vitals_to_wire(host.vitals),
        cpu_history=host.cpu_history,
        fingerprint=host.fingerprint,
        note=host.note,
        features=sorted(host.features),
        maintenance=_maintenance_to_wire(host.maintenance) if host.maintenance else None,
        agent_build=host.agent_build,
        installed_by=host.installed_by,
    )


def host_from_wire(message: wire.Host) -> Host:
    return Host(
        host_id=message.host_id,
        name=message.name,
        labels=dict(message.labels),
        admission=word(ADMISSIONS, message.admission),
        online=message.online,
        since=instant(message.since) if message.HasField("since") else None,
        address=message.address,
        os=message.os,
        arch=message.arch,
        agent_version=message.agent_version,
        capacity=message.capacity,
        vitals=_vitals_from_wire(message.vitals) if message.HasField("vitals") else None,
        cpu_history=tuple(message.cpu_history),
        fingerprint=message.fingerprint,
        note=message.note,
        features=frozenset(message.features),
        maintenance=(
            _maintenance_from_wire(message.maintenance) if message.HasField("maintenance") else None
        ),
        agent_build=message.agent_build,
        installed_by=message.installed_by,
    )


def host_detail_to_wire(detail: HostDetail) -> wire.HostDetail:
    return wire.HostDetail(
        host=host_to_wire(detail.host),
        facts=detail.facts,
        facts_at=timestamp(detail.facts_at),
        tasks=map(convert_task.task_to_wire, detail.tasks),
        operator_labels=detail.operator_labels,
        vitals_history=map(_point_to_wire, detail.vitals_history),
        runs=map(_run_to_wire, detail.runs),
        admitted_at=timestamp(detail.admitted_at),
        admitted_by=detail.admitted_by,
        manager=detail.manager,
    )


def host_detail_from_wire(message: wire.HostDetail) -> HostDetail:
    return HostDetail(
        host=host_from_wire(message.host),
        facts=dict(message.facts),
        facts_at=instant(message.facts_at) if message.HasField("facts_at") else None,
        tasks=tuple(map(convert_task.task_from_wire, message.tasks)),
        operator_labels=dict(message.operator_labels),
        vitals_history=tuple(map(_point_from_wire, message.vitals_history)),
        runs=tuple(map(_run_from_wire, message.runs)),
        admitted_at=instant(message.admitted_at) if message.HasField("admitted_at") else None,
        admitted_by=message.admitted_by,
        manager=message.manager,
    )


def _point_to_wire(point: VitalsPoint) -> wire.VitalsPoint:
    return wire.VitalsPoint(
        at=timestamp(point.at),
        cpu_percent=point.cpu_percent,
        memory_percent=point.memory_percent,
    )


def _point_from_wire(message: wire.VitalsPoint) -> VitalsPoint:
    return VitalsPoint(instant(message.at), message.cpu_percent, message.memory_percent)


def _run_to_wire(run: HostRun) -> wire.HostRun:
    row = convert_task.command_host_to_wire(run.row)
    return wire.HostRun(
        task=run.task,
        steps=run.steps,
        row=row,
        started_at=timestamp(run.started_at),
        finished_at=timestamp(run.finished_at),
    )


def _run_from_wire(message: wire.HostRun) -> HostRun:
    row = convert_task.command_host_from_wire(message.row)
    return HostRun(
        message.task,
        message.steps,
        row,
        instant(message.started_at) if message.HasField("started_at") else None,
        instant(message.finished_at) if message.HasField("finished_at") else None,
    )


def _maintenance_to_wire(maintenance: Maintenance) -> wire.Maintenance:
    return wire.Maintenance(
        reason=maintenance.reason,
        until=timestamp(maintenance.until),
        asked_by=maintenance.asked_by,
    )


def _maintenance_from_wire(message: wire.Maintenance) -> Maintenance:
    until = instant(message.until) if message.HasField("until") else None
    return Maintenance(message.reason, until, message.asked_by)


def end_from_wire(request: wire.SetMaintenanceRequest) -> datetime | None:
    """When the maintenance ends; InvalidInputError("until") if it is no time."""
    return moment(request.until, "until") if request.HasField("until") else None


def _vitals_to_wire(vitals: Vitals) -> wire.HostVitals:
    return wire.HostVitals(
        cpu_percent=vitals.cpu_percent,
        load_1m=vitals.load_1m,
        memory_used=vitals.memory_used,
        memory_total=vitals.memory_total,
        disks=[agent.Disk(mount=d.mount, used=d.used, total=d.total) for d in vitals.disks],
        running=vitals.running,
        queued=vitals.queued,
        cores=vitals.cores,
        uptime=duration(vitals.uptime),
        skew=duration(vitals.skew),
    )


def _vitals_from_wire(message: wire.HostVitals) -> Vitals:
    return Vitals(
        cpu_percent=message.cpu_percent,
        load_1m=message.load_1m,
        memory_used=message.memory_used,
        memory_total=message.memory_total,
        disks=tuple(Disk(disk.mount, disk.used, disk.total) for disk in message.disks),
        running=message.running,
        queued=message.queued,
        cores=message.cores,
        uptime=message.uptime.ToTimedelta(),
        skew=message.skew.ToTimedelta(),
    )
