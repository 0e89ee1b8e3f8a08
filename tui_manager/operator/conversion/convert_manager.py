"""Manager, windows and changes between the wire and the domain.

Tasks are in `convert_task.py`, hosts in `convert_host.py`, all managers of a database in
`convert_gateway.py`, output in `convert_output.py`, tokens and the audit in
`convert_security.py`. Fields of the same name mean the same. What a peer of
another version sends and this one does not know raises InvalidInputError.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain, repeat
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tui_manager_protos.v1 import agent_pb2 as agent
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.alert import Alert
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.manager_status import Health, ManagerStatus
from tui_manager.domain.status import Stream
from tui_manager.operator.api import TargetPreview

_Word = TypeVar("_Word", bound=StrEnum)
_Number = TypeVar("_Number", bound=int)
_Row = TypeVar("_Row")

STREAMS = {Stream.STDOUT: agent.STREAM_STDOUT, Stream.STDERR: agent.STREAM_STDERR}


def word(table: Mapping[_Word, _Number], number: int) -> _Word:
    """The domain's value for a number of an enum; InvalidInputError if there is none."""
    for found, known in table.items():
        if known == number:
            return found
    name = type(next(iter(table))).__name__.lower()
    raise InvalidInputError(name, f"There is no {name} with the number {number}.")


def timestamp(at: datetime | None) -> Timestamp | None:
    """None becomes an absent field."""
    if at is None:
        return None
    message = Timestamp()
    message.FromDatetime(at)
    return message


def duration(length: timedelta | None) -> Duration | None:
    """None becomes an absent field."""
    if length is None:
        return None
    message = Duration()
    message.FromTimedelta(length)
    return message


def length(message: Duration, field: str) -> timedelta:
    """Raises InvalidInputError, naming the field, for a value that no timedelta holds."""
    try:
        return message.ToTimedelta()
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(
            field, f"{field}: {message.seconds} seconds are out of bounds."
        ) from error


def instant(message: Timestamp) -> datetime:
    """In UTC."""
    return message.ToDatetime(tzinfo=UTC)


def moment(message: Timestamp, field: str) -> datetime:
    """In UTC. Raises InvalidInputError, naming the field, for a value that no datetime holds."""
    try:
        return instant(message)
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(field, f"{field}: this time is out of bounds.") from error


def window_to_wire(window: Window) -> wire.Window:
    return wire.Window(
        text=window.text,
        sort=window.sort,
        descending=window.descending,
        faults_only=window.faults_only,
        offset=window.offset,
        limit=window.limit,
        hide_turned_away=window.hide_turned_away,
    )


def window_from_wire(message: wire.Window) -> Window:
    return Window(
        text=message.text,
        sort=message.sort,
        descending=message.descending,
        faults_only=message.faults_only,
        offset=message.offset,
        limit=min(message.limit, LIMIT_MAX) if message.HasField("limit") else Window().limit,
        hide_turned_away=message.hide_turned_away,
    )


def size_to_wire(page: Page[_Row]) -> wire.PageSize:
    return wire.PageSize(
        matching=page.matching, total=page.total, partial=page.partial, hidden=page.hidden
    )


def page_from_wire(rows: Iterable[_Row], size: wire.PageSize) -> Page[_Row]:
    return Page(tuple(rows), size.matching, size.total, size.partial, size.hidden)


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


def preview_to_wire(preview: TargetPreview) -> wire.TargetPreview:
    return wire.TargetPreview(
        hosts=preview.hosts,
        offline=preview.offline,
        folded=preview.folded,
        left_out=preview.left_out,
    )


def preview_from_wire(message: wire.TargetPreview) -> TargetPreview:
    return TargetPreview(
        tuple(message.hosts), tuple(message.offline), message.folded, tuple(message.left_out)
    )


def changes_to_wire(changes: Changes) -> wire.Changes:
    return wire.Changes(
        hosts=changes.hosts,
        tasks=changes.tasks,
        output=changes.output,
        all_tasks=changes.all_tasks,
        templates=changes.templates,
        schedules=changes.schedules,
        manager=changes.manager,
    )


def changes_from_wire(message: wire.Changes) -> Changes:
    return Changes(
        hosts=message.hosts,
        tasks=frozenset(message.tasks),
        output=frozenset(message.output),
        all_tasks=message.all_tasks,
        templates=message.templates,
        schedules=message.schedules,
        manager=message.manager,
    )
