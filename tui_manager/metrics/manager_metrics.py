"""Metrics of the manager itself, of its database, and of its notifications."""

import shutil

from tui_manager.domain.manager.gateway import GatewayState
from tui_manager.domain.manager.notification import ReceiverKind
from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.metrics.metric import Kind, Labeled, counted, counter, gauge, histogram, labeled
from tui_manager.storage.engine.metric_counters import Act

_OUTCOMES = ("delivered", "failed", "given_up", "dropped")  # see `Statistics.count_notification`


def _free_disk(source: ManagerSource) -> int | None:
    try:
        return shutil.disk_usage(source.state_dir).free
    except OSError:
        return None


def _certificates(source: ManagerSource) -> Labeled:
    ends = source.core.statistics.gauges.certificates()
    return (((what,), end.timestamp()) for what, end in ends.items())


def _notifications(source: ManagerSource) -> Labeled:
    for receiver in ReceiverKind:
        for outcome in _OUTCOMES:
            yield (receiver, outcome), counted(source, Act.NOTIFICATION, receiver, outcome)


def _build(source: ManagerSource) -> Labeled:
    yield (source.version, source.name), 1


def _managers(source: ManagerSource) -> Labeled:
    managers = source.core.statistics.gauges.managers().recent(source.clock_watch.now())
    states = [one.state for one in managers.gateways] or [GatewayState.LEADS]
    return (((state.replace(" ", "_"),), states.count(state)) for state in GatewayState)


def _leads(source: ManagerSource) -> bool:
    managers = source.core.statistics.gauges.managers()
    leader = managers.leader
    return not managers.gateways or (leader is not None and leader.number == managers.own)


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
    gauge("state_free_bytes", "Free bytes of the disk of the state folder.", _free_disk),
)

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
        lambda source: source.clock_watch.untrusted is None,
    ),
    counter(
        "clock_jumps",
        "Jumps of the wall clock of more than a minute.",
        lambda source: source.clock_watch.jumps_seen,
    ),
    gauge(
        "clock_ahead_seconds",
        "How far the clock of this machine is ahead of the clock of the PostgreSQL server.",
        lambda source: source.core.statistics.gauges.clock_ahead().total_seconds(),
    ),
    labeled(
        Kind.GAUGE,
        "certificate_end_timestamp_seconds",
        "When each certificate of the manager expires, in seconds since 1970.",
        ("certificate",),
        _certificates,
    ),
    labeled(
        Kind.COUNTER,
        "notifications",
        "Notifications, by the kind of the receiver and by outcome. Each failed try counts.",
        ("receiver", "outcome"),
        _notifications,
    ),
)
