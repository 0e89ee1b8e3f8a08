"""The table of all metrics. Each is read from memory; see `metric.py`."""

from collections.abc import Iterable

from tui_manager.domain.gateway import GatewayState
from tui_manager.domain.schedule import SkipReason
from tui_manager.domain.status import Admission, TaskStatus
from tui_manager.domain.transitions import legal_states
from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.metrics.metric import (
    Kind,
    Metric,
    Reading,
    counter,
    gauge,
    histogram,
    labeled,
)
from tui_manager.service.core import fleet_counts
from tui_manager.storage.engine.tally import Act

Labeled = Iterable[tuple[tuple[str, ...], float]]
_ENDED = sorted((status, reason) for status, reason in legal_states() if status.ended)
_ENDED_TASK = tuple(status for status in TaskStatus if status.ended)


def _counted(source: ManagerSource, act: Act, *labels: str) -> int:
    return source.core.statistics.counted[(act, *labels)]


def _command_hosts_ended(source: ManagerSource) -> Labeled:
    for status, reason in _ENDED:
        yield (status, reason), _counted(source, Act.COMMAND_HOST_ENDED, status, reason)


def _tasks_ended(source: ManagerSource) -> Labeled:
    return (((one,), _counted(source, Act.TASK_ENDED, one)) for one in _ENDED_TASK)


def _schedules_skipped(source: ManagerSource) -> Labeled:
    return (((one,), _counted(source, Act.SCHEDULE_SKIPPED, one)) for one in SkipReason)


WORK = (
    counter(
        "tasks_created",
        "Tasks that operators and schedules have created.",
        lambda source: _counted(source, Act.TASK_CREATED),
    ),
    counter(
        "tasks_started",
        "Tasks that were started.",
        lambda source: _counted(source, Act.TASK_STARTED),
    ),
    labeled(
        Kind.COUNTER,
        "tasks_ended",
        "Tasks that ended, by status. One that was opened again may end again.",
        ("status",),
        _tasks_ended,
    ),
    counter(
        "tasks_reopened",
        "Failed tasks that run again, because an agent is back that was called lost.",
        lambda source: _counted(source, Act.TASK_REOPENED),
    ),
    counter(
        "commands_sent",
        "Commands that were handed to the session of a host.",
        lambda source: source.core.statistics.counters.sent,
    ),
    counter(
        "command_hosts_started",
        "Commands that agents reported as started. A result may come without that.",
        lambda source: _counted(source, Act.COMMAND_HOST_STARTED),
    ),
    labeled(
        Kind.COUNTER,
        "command_hosts_ended",
        "Commands that ended on a host, by status and reason. A late result counts again.",
        ("status", "reason"),
        _command_hosts_ended,
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
        lambda source: _counted(source, Act.SCHEDULE_STARTED),
    ),
    labeled(
        Kind.COUNTER,
        "schedules_skipped",
        "Due times of schedules at which nothing ran, by reason.",
        ("reason",),
        _schedules_skipped,
    ),
    gauge(
        "rollouts_stuck",
        "Tasks whose rollout stands still, because what is stored of it contradicts itself.",
        lambda source: len(source.core.statistics.stuck_rollouts),
    ),
)


def _hosts(source: ManagerSource) -> Labeled:
    found = dict.fromkeys(Admission, 0)
    for entry in source.core.directory:
        found[entry.row.admission] += 1
    return (((admission,), number) for admission, number in found.items())


def _admitted(source: ManagerSource) -> Labeled:
    now = source.clock_watch.now()
    _, online, _ = fleet_counts.counts(source.core.directory)
    load = fleet_counts.load_of_fleet(source.core.directory, now)
    _, maintained_offline = fleet_counts.in_maintenance(source.core.directory, now)
    yield ("online",), online
    yield ("offline",), load.offline
    yield ("offline_in_maintenance",), maintained_offline


HOSTS = (
    labeled(
        Kind.GAUGE,
        "hosts",
        "Hosts of the fleet, by admission. Each manager on a database counts all.",
        ("admission",),
        _hosts,
    ),
    labeled(
        Kind.GAUGE,
        "admitted_hosts",
        "Admitted hosts, by their connection to any manager on the database.",
        ("connection",),
        _admitted,
    ),
    gauge(
        "sessions",
        "Agents that are connected to this manager.",
        lambda source: source.core.statistics.gauges.sessions(),
    ),
    counter(
        "agents_refused",
        "Agents that were refused.",
        lambda source: source.core.statistics.counters.refusals,
    ),
    counter(
        "violations",
        "Violations of the protocol by agents.",
        lambda source: source.core.statistics.counters.violations,
    ),
    counter(
        "bad_tokens",
        "Join tokens that were shown, and are unknown or not valid any more.",
        lambda source: source.core.statistics.counters.bad_tokens,
    ),
)

DATABASE = (
    histogram(
        "transaction_seconds",
        "Duration of the committed transactions, with the wait in the queue before.",
        lambda source: source.core.statistics.timings.commit,
    ),
    histogram(
        "transaction_units",
        "Changes that were committed in one transaction.",
        lambda source: source.core.statistics.timings.units,
    ),
    counter(
        "transactions_failed",
        "Transactions that could not be committed, because the database could not be written.",
        lambda source: source.core.statistics.counters.failed_transactions,
    ),
    gauge(
        "database_writable",
        "1 if the database can be written, 0 if not.",
        lambda source: not source.core.statistics.storage_error,
    ),
    gauge(
        "write_queue_units",
        "Changes that wait to be written.",
        lambda source: source.core.statistics.gauges.write_queue(),
    ),
    gauge(
        "write_wait_seconds",
        "How long the oldest change of the running transaction has waited; 0 if none runs.",
        lambda source: source.core.database.waiting_for,
    ),
    gauge(
        "database_bytes",
        "Size of the database and of its log.",
        lambda source: source.core.statistics.health.database_bytes,
    ),
    gauge(
        "database_log_bytes",
        "Size of the log of the database: committed, and not yet in its file.",
        lambda source: source.core.statistics.health.log_bytes,
    ),
)


def _build(source: ManagerSource) -> Labeled:
    yield (source.version, source.name), 1


def _managers(source: ManagerSource) -> Labeled:
    standing = source.core.statistics.gauges.standing().recent(source.clock_watch.now())
    states = [one.state for one in standing.gateways] or [GatewayState.LEADS]
    return (((state.replace(" ", "_"),), states.count(state)) for state in GatewayState)


def _leads(source: ManagerSource) -> bool:
    standing = source.core.statistics.gauges.standing()
    leader = standing.leader
    return not standing.gateways or (leader is not None and leader.number == standing.own)


MANAGER = (
    labeled(
        Kind.GAUGE,
        "build_info",
        "Always 1. The labels name the version of the program and this manager.",
        ("version", "manager"),
        _build,
    ),
    histogram(
        "loop_lag_seconds",
        "How late the manager's loop ran a timer, measured once a second.",
        lambda source: source.core.statistics.timings.loop_lag,
    ),
    gauge(
        "send_queue_messages",
        "Messages that wait in sessions.",
        lambda source: source.core.statistics.health.send_queue,
    ),
    gauge(
        "leader",
        "1 if this manager plans rollouts, schedules and ends of tasks, 0 if another one does.",
        _leads,
    ),
    gauge(
        "leader_epoch",
        "Rises each time that a manager becomes the leader; no value if this one does not lead "
        "several.",
        lambda source: source.core.database.epoch,
    ),
    labeled(
        Kind.GAUGE,
        "managers",
        "Managers on the database, by state, as this one knows it.",
        ("state",),
        _managers,
    ),
    gauge(
        "clock_trusted",
        "1 if the wall clock is trusted, 0 after a jump, while pruning or schedules wait.",
        lambda source: source.clock_watch.doubt is None,
    ),
    gauge(
        "clock_ahead_seconds",
        "How far the clock of this machine is ahead of the clock of the PostgreSQL server.",
        lambda source: source.core.statistics.gauges.clock_ahead().total_seconds(),
    ),
)

GROUPS = {"Tasks": WORK, "Hosts": HOSTS, "The database": DATABASE, "The manager": MANAGER}
METRICS: tuple[Metric, ...] = tuple(metric for group in GROUPS.values() for metric in group)


def read_all(source: ManagerSource) -> tuple[Reading, ...]:
    """All metrics as they are now. To be called on the manager's loop."""
    return tuple(Reading(metric, tuple(metric.read(source))) for metric in METRICS)
