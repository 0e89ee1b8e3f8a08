"""Tasks, commands and command hosts between the wire and the domain.

What an operator asks for is in convert_spec.py.
"""

from dataclasses import replace
from datetime import datetime

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import Command, CommandHost, Counts, Progress, Task, TaskDetail
from tui_manager.operator import conversion
from tui_manager.operator.conversion import convert_files, convert_rollout
from tui_manager.operator.conversion.convert_spec import (
    OFFLINE_POLICIES,
    command_spec_from_wire,
    command_spec_to_wire,
    delivery_timeout_from_wire,
    offline_from_wire,
    parameter_from_wire,
    parameter_to_wire,
    template_from_wire,
    template_to_wire,
)
from tui_manager.operator.conversion.convert_values import (
    duration,
    instant,
    set_duration,
    set_timestamp,
    timestamp,
    window_to_wire,
    word,
    word_reader,
)
from tui_manager.operator.output_calls import NewOutput, StorageTrouble, TaskEvent

TASK_STATUSES = {
    TaskStatus.PENDING: wire.TASK_STATUS_PENDING,
    TaskStatus.RUNNING: wire.TASK_STATUS_RUNNING,
    TaskStatus.COMPLETED: wire.TASK_STATUS_COMPLETED,
    TaskStatus.FAILED: wire.TASK_STATUS_FAILED,
    TaskStatus.CANCELED: wire.TASK_STATUS_CANCELED,
}
COMMAND_HOST_STATUSES = {
    CommandHostStatus.PENDING: wire.COMMAND_HOST_STATUS_PENDING,
    CommandHostStatus.RUNNING: wire.COMMAND_HOST_STATUS_RUNNING,
    CommandHostStatus.COMPLETED: wire.COMMAND_HOST_STATUS_COMPLETED,
    CommandHostStatus.FAILED: wire.COMMAND_HOST_STATUS_FAILED,
    CommandHostStatus.TIMEOUT: wire.COMMAND_HOST_STATUS_TIMEOUT,
    CommandHostStatus.CANCELED: wire.COMMAND_HOST_STATUS_CANCELED,
    CommandHostStatus.SKIPPED: wire.COMMAND_HOST_STATUS_SKIPPED,
}
HOST_CLASSES = {
    HostClass.UNKNOWN: wire.HOST_CLASS_UNKNOWN,
    HostClass.FAILED: wire.HOST_CLASS_FAILED,
    HostClass.UNREACHED: wire.HOST_CLASS_UNREACHED,
    HostClass.COMPLETED: wire.HOST_CLASS_COMPLETED,
}
REASONS = {
    Reason.NONE: wire.REASON_UNSPECIFIED,
    Reason.UNDELIVERABLE: wire.REASON_UNDELIVERABLE,
    Reason.REJECTED: wire.REASON_REJECTED,
    Reason.SPAWN_FAILED: wire.REASON_SPAWN_FAILED,
    Reason.EXIT_CODE: wire.REASON_EXIT_CODE,
    Reason.SIGNAL: wire.REASON_SIGNAL,
    Reason.AGENT_LOST: wire.REASON_AGENT_LOST,
    Reason.AGENT_STATE_LOST: wire.REASON_AGENT_STATE_LOST,
    Reason.INTERRUPTED: wire.REASON_INTERRUPTED,
    Reason.TIMEOUT: wire.REASON_TIMEOUT,
    Reason.CANCELED: wire.REASON_CANCELED,
    Reason.CANCEL_UNCONFIRMED: wire.REASON_CANCEL_UNCONFIRMED,
    Reason.EARLIER_FAILED: wire.REASON_EARLIER_FAILED,
    Reason.BUDGET_SPENT: wire.REASON_BUDGET_SPENT,
    Reason.HOLD_EXPIRED: wire.REASON_HOLD_EXPIRED,
    Reason.MAINTENANCE: wire.REASON_MAINTENANCE,
    Reason.TRANSFER_FAILED: wire.REASON_TRANSFER_FAILED,
    Reason.UPDATE_FAILED: wire.REASON_UPDATE_FAILED,
}
_task_status = word_reader(TASK_STATUSES)
_command_host_status = word_reader(COMMAND_HOST_STATUSES)
_reason = word_reader(REASONS)


def counts_to_wire(counts: Counts) -> wire.Counts:
    message = wire.Counts()
    _set_counts(message, counts)
    return message


def _set_counts(message: wire.Counts, counts: Counts) -> None:
    message.total = counts.total
    message.pending = counts.pending
    message.running = counts.running
    message.completed = counts.completed
    message.failed = counts.failed
    message.timeout = counts.timeout
    message.canceled = counts.canceled
    message.skipped = counts.skipped


def counts_from_wire(message: wire.Counts) -> Counts:
    return Counts(
        total=message.total,
        pending=message.pending,
        running=message.running,
        completed=message.completed,
        failed=message.failed,
        timeout=message.timeout,
        canceled=message.canceled,
        skipped=message.skipped,
    )


def task_to_wire(task: Task) -> wire.Task:
    message = wire.Task(
        task_id=task.task_id,
        name=task.name,
        description=task.description,
        target=task.target,
        status=TASK_STATUSES[task.status],
        host_count=task.host_count,
        created_by=task.created_by,
        offline=OFFLINE_POLICIES[task.offline],
        paused=task.paused,
        hold=convert_rollout.hold_to_wire(task.hold),
        rerun_of=task.rerun_of,
        rollout=convert_rollout.progress_to_wire(task.rollout),
        template=template_to_wire(task.template),
        hosts_ended=task.hosts_ended,
        hosts_failed=task.hosts_failed,
    )
    _set_counts(message.counts, task.counts)
    set_duration(message.delivery_timeout, task.delivery_timeout)
    set_timestamp(message.created_at, task.created_at)
    if task.started_at is not None:
        set_timestamp(message.started_at, task.started_at)
    if task.finished_at is not None:
        set_timestamp(message.finished_at, task.finished_at)
    if task.cancel_requested_at is not None:
        set_timestamp(message.cancel_requested_at, task.cancel_requested_at)
    return message


def task_from_wire(message: wire.Task) -> Task:
    has = message.HasField
    return Task(
        task_id=message.task_id,
        name=message.name,
        description=message.description,
        target=message.target,
        status=_task_status(message.status),
        counts=counts_from_wire(message.counts),
        host_count=message.host_count,
        created_by=message.created_by,
        created_at=instant(message.created_at),
        started_at=instant(message.started_at) if has("started_at") else None,
        finished_at=instant(message.finished_at) if has("finished_at") else None,
        cancel_requested_at=(
            instant(message.cancel_requested_at) if has("cancel_requested_at") else None
        ),
        offline=offline_from_wire(message.offline),
        delivery_timeout=delivery_timeout_from_wire(message),
        paused=message.paused,
        hold=convert_rollout.hold_from_wire(message),
        rerun_of=message.rerun_of,
        rollout=convert_rollout.progress_from_wire(message),
        template=template_from_wire(message),
        hosts_ended=message.hosts_ended,
        hosts_failed=message.hosts_failed,
    )


def past_command_to_wire(command: PastCommand) -> wire.PastCommand:
    return wire.PastCommand(text=command.text, task=task_to_wire(command.task))


def past_command_from_wire(message: wire.PastCommand) -> PastCommand:
    return PastCommand(message.text, task_from_wire(message.task))


def list_request_to_wire(window: Window, wanted: TaskFilter) -> wire.ListTasksRequest:
    return wire.ListTasksRequest(
        window=window_to_wire(window),
        statuses=[TASK_STATUSES[status] for status in wanted.statuses],
        host=wanted.host,
        created_by=wanted.created_by,
        since=timestamp(wanted.since),
    )


def filter_from_wire(message: wire.ListTasksRequest) -> TaskFilter:
    return TaskFilter(
        statuses=tuple(word(TASK_STATUSES, status) for status in message.statuses),
        host=message.host,
        created_by=message.created_by,
        since=_since(message),
    )


def _since(message: wire.ListTasksRequest) -> datetime | None:
    """Raises InvalidInputError for an instant that no datetime holds."""
    if not message.HasField("since"):
        return None
    try:
        return instant(message.since)
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(
            "since", f"since: {message.since.seconds} seconds are out of bounds."
        ) from error


def detail_to_wire(detail: TaskDetail) -> wire.TaskDetail:
    return wire.TaskDetail(
        task=task_to_wire(detail.task),
        commands=[_command_to_wire(command) for command in detail.commands],
        rollout=convert_rollout.rollout_to_wire(detail.rollout),
        reruns=detail.reruns,
        left_out=detail.left_out,
        include_maintenance=detail.include_maintenance,
        parameters=map(parameter_to_wire, detail.parameters),
    )


def detail_from_wire(message: wire.TaskDetail) -> TaskDetail:
    return TaskDetail(
        task=task_from_wire(message.task),
        commands=tuple(_command_from_wire(command) for command in message.commands),
        rollout=convert_rollout.rollout_from_wire(message),
        reruns=tuple(message.reruns),
        left_out=tuple(message.left_out),
        include_maintenance=message.include_maintenance,
        parameters=tuple(map(parameter_from_wire, message.parameters)),
    )


def _command_to_wire(command: Command) -> wire.Command:
    return wire.Command(
        index=command.index,
        spec=command_spec_to_wire(_without_secrets(command.spec)),
        status=COMMAND_HOST_STATUSES[command.status],
        counts=counts_to_wire(command.counts),
    )


def _without_secrets(spec: CommandSpec) -> CommandSpec:
    """Only the names of the secrets, even if the values were given."""
    return replace(spec, secrets=dict.fromkeys(spec.secrets, ""))


def _command_from_wire(message: wire.Command) -> Command:
    return Command(
        index=message.index,
        spec=command_spec_from_wire(message.spec),
        status=_command_host_status(message.status),
        counts=counts_from_wire(message.counts),
    )


def command_host_to_wire(row: CommandHost) -> wire.CommandHost:
    message = wire.CommandHost(
        execution_id=row.execution_id,
        task_id=row.task_id,
        command=row.command,
        host_id=row.host_id,
        host=row.host,
        status=COMMAND_HOST_STATUSES[row.status],
        reason=REASONS[row.reason],
        detail=row.detail,
        exit_code=row.exit_code,
        signal=row.signal,
        stdout_bytes=row.stdout_bytes,
        stderr_bytes=row.stderr_bytes,
        truncated_bytes=row.truncated_bytes,
        late=row.late,
        kill_incomplete=row.kill_incomplete,
        batch=row.batch,
        transfer=convert_files.transfer_to_wire(row.transfer),
    )
    if row.sent_at is not None:
        set_timestamp(message.sent_at, row.sent_at)
    if row.started_at is not None:
        set_timestamp(message.started_at, row.started_at)
    if row.finished_at is not None:
        set_timestamp(message.finished_at, row.finished_at)
    if row.cancel_requested_at is not None:
        set_timestamp(message.cancel_requested_at, row.cancel_requested_at)
    if row.waits_until is not None:
        set_timestamp(message.waits_until, row.waits_until)
    return message


def command_host_from_wire(message: wire.CommandHost) -> CommandHost:
    has = message.HasField
    return CommandHost(
        execution_id=message.execution_id,
        task_id=message.task_id,
        command=message.command,
        host_id=message.host_id,
        host=message.host,
        status=_command_host_status(message.status),
        reason=_reason(message.reason),
        detail=message.detail,
        exit_code=message.exit_code if has("exit_code") else None,
        signal=message.signal if has("signal") else None,
        stdout_bytes=message.stdout_bytes,
        stderr_bytes=message.stderr_bytes,
        truncated_bytes=message.truncated_bytes,
        sent_at=instant(message.sent_at) if has("sent_at") else None,
        started_at=instant(message.started_at) if has("started_at") else None,
        finished_at=instant(message.finished_at) if has("finished_at") else None,
        cancel_requested_at=(
            instant(message.cancel_requested_at) if has("cancel_requested_at") else None
        ),
        late=message.late,
        kill_incomplete=message.kill_incomplete,
        batch=message.batch,
        waits_until=instant(message.waits_until) if has("waits_until") else None,
        transfer=convert_files.transfer_from_wire(message.transfer) if has("transfer") else None,
    )


def progress_to_wire(progress: Progress) -> wire.Progress:
    return wire.Progress(
        task_id=progress.task_id,
        status=TASK_STATUSES[progress.status],
        counts=counts_to_wire(progress.counts),
        commands=[counts_to_wire(counts) for counts in progress.commands],
        fraction=progress.fraction,
        elapsed=duration(progress.elapsed),
        remaining=duration(progress.remaining),
        paused=progress.paused,
        hold=convert_rollout.hold_to_wire(progress.hold),
    )


def progress_from_wire(message: wire.Progress) -> Progress:
    has = message.HasField
    return Progress(
        task_id=message.task_id,
        status=_task_status(message.status),
        counts=counts_from_wire(message.counts),
        commands=tuple(counts_from_wire(counts) for counts in message.commands),
        fraction=message.fraction,
        elapsed=message.elapsed.ToTimedelta() if has("elapsed") else None,
        remaining=message.remaining.ToTimedelta() if has("remaining") else None,
        paused=message.paused,
        hold=convert_rollout.hold_from_wire(message),
    )


def event_to_wire(event: TaskEvent) -> wire.TaskEvent:
    match event:
        case NewOutput(chunks):
            return wire.TaskEvent(output=conversion.convert_output.chunks_to_wire(chunks))
        case StorageTrouble(text):
            return wire.TaskEvent(storage_error=text)
        case _:
            return wire.TaskEvent(progress=progress_to_wire(event))


def event_from_wire(message: wire.TaskEvent) -> TaskEvent | None:
    """None: it is of a kind that this version does not know."""
    match message.WhichOneof("event"):
        case "progress":
            return progress_from_wire(message.progress)
        case "output":
            read = conversion.convert_output.chunk_from_wire
            return NewOutput(tuple(map(read, message.output.chunks)))
        case "storage_error":
            return StorageTrouble(message.storage_error)
        case _:
            return None
