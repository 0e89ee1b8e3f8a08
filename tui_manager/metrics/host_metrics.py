"""Metrics of hosts, their sessions, and agents that were refused."""

from tui_manager.domain.errors import Refusal
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.metrics.metric import Kind, Labeled, by, counted, counter, gauge, labeled
from tui_manager.storage.engine.metric_counters import Act


def _hosts(source: ManagerSource) -> Labeled:
    return (((admission,), number) for admission, number in source.fleet.by_admission.items())


def _admitted(source: ManagerSource) -> Labeled:
    fleet = source.fleet
    yield ("online",), fleet.online
    yield ("offline",), fleet.offline
    yield ("offline_in_maintenance",), fleet.offline_in_maintenance


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
        "sessions_opened",
        "Streams of agents that were accepted.",
        lambda source: counted(source, Act.SESSION_OPENED),
    ),
    labeled(
        Kind.COUNTER,
        "sessions_ended",
        "Streams of agents that ended, by reason.",
        ("reason",),
        lambda source: by(source, Act.SESSION_ENDED, SessionEnd),
    ),
    counter(
        "hosts_lost",
        "Hosts that were silent for longer than `lost_after`, as the leader found.",
        lambda source: counted(source, Act.HOST_LOST),
    ),
    labeled(
        Kind.COUNTER,
        "agents_refused",
        "Agents that were refused, by reason.",
        ("reason",),
        lambda source: by(source, Act.AGENT_REFUSED, Refusal),
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
