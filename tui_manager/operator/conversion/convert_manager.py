"""The manager, and the managers of one database, between the wire and the domain.

Windows and changes are in `convert_values.py`, tasks in `convert_task.py`, hosts in
`convert_host.py`, output in `convert_output.py`, tokens and the audit in `convert_security.py`.
Fields of the same name mean the same. What a peer of another version sends and this one does not
know raises InvalidInputError.
"""

from datetime import timedelta
from itertools import chain, repeat

from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import Health, ManagerStatus
from tui_manager.operator.conversion.convert_values import (
    duration,
    instant,
    timestamp,
)


def status_to_wire(status: ManagerStatus) -> wire.ManagerStatus:
    return wire.ManagerStatus(
        manager_id=status.manager_id,
        version=status.version,
        pid=status.pid,
        state_dir=status.state_dir,
        address=status.address,
        security=status.security,
        started_at=timestamp(status.started_at),
        recovering=status.recovering,
        hosts_total=status.hosts_total,
        hosts_online=status.hosts_online,
        hosts_pending=status.hosts_pending,
        tasks_running=status.tasks_running,
        attention=(alert.text for alert in status.attention),
        health=health_to_wire(status.health),
        enroll_address=status.enroll_address,
        clock_ahead=duration(status.clock_ahead),
        clock_waits=duration(status.clock_waits),
        kill_grace=duration(status.kill_grace),
        hosts_offline=status.hosts_offline,
        hosts_busy=status.hosts_busy,
        tasks_failed_today=status.tasks_failed_today,
        attention_subjects=map(_subject_to_wire, status.attention),
        database=status.database,
        other_managers=status.other_managers,
        others_alive=status.others_alive,
        leader=status.leader,
        leads=status.leads,
        number=status.number,
        agent_addresses=status.agent_addresses,
        others_heard=status.others_heard,
    )


def _subject_to_wire(alert: Alert) -> wire.AlertSubject:
    return wire.AlertSubject(
        host_id=alert.host_id, task_id=alert.task_id, schedule=alert.schedule, hosts=alert.hosts
    )


def _alerts_from_wire(message: wire.ManagerStatus) -> tuple[Alert, ...]:
    """A manager of an older version does not say what its sentences are about."""
    subjects = chain(message.attention_subjects, repeat(wire.AlertSubject()))
    return tuple(
        Alert(text, about.host_id, about.task_id, about.schedule, about.hosts)
        for text, about in zip(message.attention, subjects, strict=False)
    )


def status_from_wire(message: wire.ManagerStatus) -> ManagerStatus:
    return ManagerStatus(
        manager_id=message.manager_id,
        version=message.version,
        pid=message.pid,
        state_dir=message.state_dir,
        address=message.address,
        security=message.security,
        started_at=instant(message.started_at),
        recovering=message.recovering,
        hosts_total=message.hosts_total,
        hosts_online=message.hosts_online,
        hosts_pending=message.hosts_pending,
        tasks_running=message.tasks_running,
        attention=_alerts_from_wire(message),
        health=health_from_wire(message.health),
        enroll_address=message.enroll_address,
        clock_ahead=_length(message, "clock_ahead"),
        clock_waits=_length(message, "clock_waits"),
        kill_grace=_length(message, "kill_grace"),
        hosts_offline=message.hosts_offline,
        hosts_busy=message.hosts_busy,
        tasks_failed_today=message.tasks_failed_today,
        database=message.database,
        other_managers=message.other_managers,
        others_alive=message.others_alive,
        leader=message.leader,
        leads=message.leads,
        number=message.number,
        agent_addresses=tuple(message.agent_addresses),
        others_heard=tuple(message.others_heard),
    )


def _length(message: wire.ManagerStatus, field: str) -> timedelta | None:
    """An absent field becomes None."""
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    length: Duration = getattr(message, field)
    return length.ToTimedelta()


def health_to_wire(health: Health) -> wire.Health:
    return wire.Health(
        sessions=health.sessions,
        commands_per_second=health.commands_per_second,
        bytes_per_second=health.bytes_per_second,
        files_sent_per_second=health.files_sent_per_second,
        files_received_per_second=health.files_received_per_second,
        commit_seconds=health.commit_seconds,
        loop_lag_seconds=health.loop_lag_seconds,
        memory_bytes=health.memory_bytes,
        cpu_percent=health.cpu_percent,
        write_queue=health.write_queue,
        send_queue=health.send_queue,
        database_bytes=health.database_bytes,
        log_bytes=health.log_bytes,
        storage_error=health.storage_error,
    )


def health_from_wire(message: wire.Health) -> Health:
    return Health(
        sessions=message.sessions,
        commands_per_second=message.commands_per_second,
        bytes_per_second=message.bytes_per_second,
        files_sent_per_second=message.files_sent_per_second,
        files_received_per_second=message.files_received_per_second,
        commit_seconds=message.commit_seconds,
        loop_lag_seconds=message.loop_lag_seconds,
        memory_bytes=message.memory_bytes,
        cpu_percent=message.cpu_percent,
        write_queue=message.write_queue,
        send_queue=message.send_queue,
        database_bytes=message.database_bytes,
        log_bytes=message.log_bytes,
        storage_error=message.storage_error,
    )


def gateway_to_wire(gateway: Gateway) -> wire.Gateway:
    return wire.Gateway(
        number=gateway.number,
        name=gateway.name,
        address=gateway.address,
        version=gateway.version,
        started_at=timestamp(gateway.started_at),
        leads=gateway.leads,
        alive=gateway.alive,
        stopped=gateway.stopped,
        last_seen=timestamp(gateway.last_seen),
        health=None if gateway.health is None else health_to_wire(gateway.health),
        runs=gateway.runs,
    )


def gateway_from_wire(message: wire.Gateway) -> Gateway:
    return Gateway(
        number=message.number,
        name=message.name,
        address=message.address,
        version=message.version,
        started_at=instant(message.started_at) if message.HasField("started_at") else None,
        leads=message.leads,
        alive=message.alive,
        stopped=message.stopped,
        last_seen=instant(message.last_seen) if message.HasField("last_seen") else None,
        health=health_from_wire(message.health) if message.HasField("health") else None,
        runs=message.runs,
    )
