"""Metrics of tasks, commands and schedules."""

from tui_manager.domain.schedules.schedule import SkipReason
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import StepKind
from tui_manager.domain.tasks.transitions import legal_states
from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.metrics.metric import (
    Kind,
    Labeled,
    by,
    counted,
    counter,
    gauge,
    histogram,
    labeled,
)
from tui_manager.storage.engine.metric_counters import Act

_ENDED = sorted((status, reason) for status, reason in legal_states() if status.ended)
_ENDED_TASK = tuple(status for status in TaskStatus if status.ended)


def _unended_tasks(source: ManagerSource) -> Labeled:
    if work := source.work.newest:
        for status in (TaskStatus.PENDING, TaskStatus.RUNNING):
            yield (status,), work.tasks.get(status, 0)


def _unended_commands(source: ManagerSource) -> Labeled:
    if work := source.work.newest:
        yield ("pending",), work.pending
        yield ("running",), work.running


def _command_hosts_ended(source: ManagerSource) -> Labeled:
    for status, reason in _ENDED:
        yield (status, reason), counted(source, Act.COMMAND_HOST_ENDED, status, reason)


WORK = (
    counter(
        "tasks_created",
        "Tasks that operators and schedules have created.",
        lambda source: counted(source, Act.TASK_CREATED),
    ),
    counter(
        "tasks_started",
        "Tasks that were started.",
        lambda source: counted(source, Act.TASK_STARTED),
    ),
    labeled(
        Kind.COUNTER,
        "tasks_ended",
        "Tasks that ended, by status. One that was opened again may end again.",
        ("status",),
        lambda source: by(source, Act.TASK_ENDED, _ENDED_TASK),
    ),
    counter(
        "tasks_reopened",
        "Failed tasks that run again, because an agent is back that was called lost.",
        lambda source: counted(source, Act.TASK_REOPENED),
    ),
    labeled(
        Kind.GAUGE,
        "tasks",
        "Tasks in the database that have not ended, by status, some seconds ago.",
        ("status",),
        _unended_tasks,
    ),
    labeled(
        Kind.GAUGE,
        "command_hosts",
        "Commands on a host that have not ended, of all tasks in the database, some seconds ago.",
        ("status",),
        _unended_commands,
    ),
    gauge(
        "commands_running",
        "Commands that run on the hosts that are connected to this manager.",
        lambda source: source.fleet.running,
    ),
    labeled(
        Kind.COUNTER,
        "commands_sent",
        "Commands that were handed to the session of a host, by the kind of the step.",
        ("kind",),
        lambda source: by(source, Act.COMMAND_SENT, StepKind),
    ),
    counter(
        "command_hosts_started",
        "Commands that agents reported as started. A result may come without that.",
        lambda source: counted(source, Act.COMMAND_HOST_STARTED),
    ),
    labeled(
        Kind.COUNTER,
        "command_hosts_ended",
        "Commands that ended on a host, by status and reason. A late result counts again.",
        ("status", "reason"),
        _command_hosts_ended,
    ),
    histogram(
        "command_start_delay_seconds",
        "From handing a command to a session until it began on its host.",
        lambda source: source.core.statistics.timings.start_delay,
    ),
    histogram(
        "command_seconds",
        "How long commands ran.",
        lambda source: source.core.statistics.timings.command,
    ),
    histogram(
        "result_delay_seconds",
        "From the end of a command on its host until its result was in the database.",
        lambda source: source.core.statistics.timings.result_delay,
    ),
    counter(
        "late_results",
        "Results that replaced what the manager had assumed.",
        lambda source: source.core.statistics.counters.late_results,
    ),
    counter(
        "conflicting_results",
        "Second, different results of a command that had ended. The first stays.",
        lambda source: source.core.statistics.counters.conflicting_results,
    ),
    counter(
        "output_bytes",
        "Bytes of output that were stored.",
        lambda source: source.core.statistics.counters.output_bytes,
    ),
    counter(
        "file_sent_bytes",
        "Bytes of copied files that were sent to agents.",
        lambda source: source.core.statistics.counters.file_bytes_sent,
    ),
    counter(
        "file_received_bytes",
        "Bytes of fetched files that agents have sent.",
        lambda source: source.core.statistics.counters.file_bytes_received,
    ),
    counter(
        "schedules_started",
        "Due times of schedules at which a task was started.",
        lambda source: counted(source, Act.SCHEDULE_STARTED),
    ),
    labeled(
        Kind.COUNTER,
        "schedules_skipped",
        "Due times of schedules at which nothing ran, by reason.",
        ("reason",),
        lambda source: by(source, Act.SCHEDULE_SKIPPED, SkipReason),
    ),
    histogram(
        "schedule_delay_seconds",
        "From the due time of a schedule until its task was started.",
        lambda source: source.core.statistics.timings.schedule_delay,
    ),
    gauge(
        "rollouts_stuck",
        "Tasks whose rollout stands still, because what is stored of it contradicts itself.",
        lambda source: len(source.core.statistics.stuck_rollouts),
    ),
)
