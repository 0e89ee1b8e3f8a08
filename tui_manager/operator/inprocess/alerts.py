"""What needs the attention of an operator, the most urgent first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import rough_duration

from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.manager_status import UntrustedClock
from tui_manager.domain.status import Admission
from tui_manager.operator.inprocess.agent_alerts import differing_agents
from tui_manager.operator.inprocess.manager_alerts import manager_alerts
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.hosts.host_entry import UNKNOWN_MAX, HostEntry
from tui_manager.service.core.refusals_and_violations import (
    BAD_TOKENS_MAX,
    RecentEvent,
    RefusalsAndViolations,
)
from tui_manager.service.core.statistics import Statistics
from tui_manager.service.tasks.work_summary import WorkSummary

_NAMED = 5  # hosts or refusals that get their own sentence
_LONG_LOG = 256 << 20  # bytes of the database's log; only a long read makes it longer
_BAD_TOKENS = 10  # in an hour; fewer are probably mistakes


@dataclass(frozen=True, slots=True)
class HostCounts:
    """Numbers of hosts that need attention.

    Attributes:
        offline: without those in maintenance.
        newest_offline: the one of them that went offline last.
    """

    offline: int = 0
    pending: int = 0
    recovering: int = 0
    maintenance: int = 0
    newest_offline: HostEntry | None = None


def attention(
    core: Core,
    hosts: HostCounts,
    clock: UntrustedClock | None = None,
    now: datetime | None = None,
    work: WorkSummary | None = None,
) -> tuple[Alert, ...]:
    """The alerts of the manager's status.

    Args:
        clock: why the wall clock is not trusted; None: it is.
        now: the time by which certificates and other managers are checked; None: they are not.
        work: what is known of tasks and schedules.
    """
    statistics, directory, violations = core.statistics, core.directory, core.violations
    return (
        *_storage(statistics),
        *(_managers(core, now) if now else ()),
        *_clock(clock),
        *_authority(statistics),
        *_stuck_rollouts(statistics),
        *(_out_of_date(directory, now) if now else ()),
        *_held(work),
        *_offline(hosts, now),
        *_blocked_schedules(work),
        *(_receivers(work, now) if work and now else ()),
        *_protocol_violations(violations, directory),
        *_hosts(hosts),
        *_noted(directory),
        *_refused(violations, directory),
        *_bad_tokens(violations),
        *_unknown_executions(directory),
        *_conflicts(statistics),
        *(differing_agents(directory, work.updates, now) if work and now else ()),
    )


def _storage(statistics: Statistics) -> Iterator[Alert]:
    if statistics.storage_error:
        yield Alert(f"Results wait for the database: {statistics.storage_error}")
    elif (size := statistics.gauges.log_bytes()) > _LONG_LOG:
        yield Alert(
            f"The log of the database has {size >> 20:,} MiB: a program, such as a backup or "
            "a check, has been reading for a long time. If it goes on, results will wait for it."
        )


def _managers(core: Core, now: datetime) -> Iterator[Alert]:
    statistics, gauges = core.statistics, core.statistics.gauges
    managers = gauges.managers()
    hosts = core.directory if managers.others else ()  # a manager that is alone has all of them
    return manager_alerts(
        managers,
        now,
        storage_error=statistics.storage_error or gauges.storage_problem(),
        notifier_problem=gauges.notifier_problem(),
        clock_ahead=gauges.clock_ahead(),
        offline=Counter(entry.row.gateway for entry in hosts if not entry.online),
    )


def _clock(untrusted: UntrustedClock | None) -> Iterator[Alert]:
    if untrusted is None:
        return
    is_ahead = untrusted.ahead > timedelta(0)
    length = rough_duration(abs(untrusted.ahead))
    if untrusted.jumped:
        what = f"The clock jumped {length} {'ahead' if is_ahead else 'back'} while the manager ran"
    else:
        side = "ahead of" if is_ahead else "behind"
        what = f"The clock is {length} {side} the time that the manager stored last"
    waits = "Schedules start no task, and old history" if untrusted.jumped else "Old history"
    yield Alert(
        f"{what}. {waits} is not removed, until the clock is back or the manager has run for 24 h. "
        "If the clock is right, run: tui-manager clock accept"
    )


def _authority(statistics: Statistics) -> Iterator[Alert]:
    if statistics.authority_error:
        yield Alert(f"No certificates can be issued: {statistics.authority_error}")
    if problem := statistics.gauges.certificate_problem():
        yield Alert(f"A certificate needs attention: {problem}")


def _stuck_rollouts(statistics: Statistics) -> Iterator[Alert]:
    for task_id in sorted(statistics.stuck_rollouts)[:_NAMED]:
        yield Alert(
            f"Task {task_id} begins no further host: what is stored of its rollout contradicts "
            f"itself. Look with: tui-manager check. End it with: tui-manager task cancel {task_id}",
            task_id=task_id,
        )


def _held(work: WorkSummary | None) -> Iterator[Alert]:
    held = work.held if work else ()
    for task in held[:_NAMED]:
        batch = f"batch {task.hold.batch} of {task.hold.of}" if task.hold else "a batch"
        text = f"Task {task.task_id} is on hold after {batch}: resume it, or cancel it."
        yield Alert(text, task_id=task.task_id)
    if len(held) > _NAMED:
        yield Alert(f"{len(held) - _NAMED} other tasks are on hold too.")


def _offline(hosts: HostCounts, now: datetime | None) -> Iterator[Alert]:
    newest = hosts.newest_offline
    if hosts.offline > 1:
        named = f": {newest.row.name} went last" if newest else ""
        yield Alert(
            f"{hosts.offline:,} hosts are offline{named}.", hosts="state=offline !state=maintenance"
        )
    elif hosts.offline:
        name = newest.row.name if newest else "1 host"
        long = (
            f" for {rough_duration(now - newest.since)}" if newest and newest.since and now else ""
        )
        yield Alert(f"{name} is offline{long}.", newest.row.host_id if newest else "")


def _blocked_schedules(work: WorkSummary | None) -> Iterator[Alert]:
    blocked = work.blocked if work else ()
    for schedule in blocked[:_NAMED]:
        name = schedule.spec.name
        if schedule.problem:
            text = f"Schedule {name} cannot start a task: {schedule.problem}"
        else:
            text = f"Schedule {name} started no task when it was due: {schedule.refusal}"
        yield Alert(text, schedule=name)
    if len(blocked) > _NAMED:
        yield Alert(f"{len(blocked) - _NAMED} other schedules start no task either.")


def _receivers(work: WorkSummary, now: datetime) -> Iterator[Alert]:
    """Who gets no notifications."""
    troubled = [one for one in work.receivers if one.needs_attention(now)]
    for receiver in troubled[:_NAMED]:
        if receiver.is_failing(now) and receiver.failing_since:
            yield Alert(
                f"The {receiver.kind} {receiver.name} has taken no notification for "
                f"{rough_duration(now - receiver.failing_since)}: {receiver.last_error}. "
                f"{receiver.pending:,} wait for it."
            )
        if receiver.has_lost(now):
            yield Alert(
                f"Notifications for the {receiver.kind} {receiver.name} are lost: "
                f"{receiver.given_up:,} given up, {receiver.dropped:,} dropped."
            )
    if len(troubled) > _NAMED:
        yield Alert(f"{len(troubled) - _NAMED} other receivers get no notifications either.")


def _out_of_date(directory: Directory, now: datetime) -> Iterator[Alert]:
    """Hosts whose certificate has expired or not begun: TLS refuses them, and no log of the manager
    shows it."""
    away = [
        (entry.row.name, entry.row.host_id, *entry.certificate)
        for entry in directory
        if entry.certificate  # few hosts have got one since the start
        and entry.away
        and entry.row.admission in (Admission.PENDING, Admission.ADMITTED)
        and not entry.certificate[0] <= now < entry.certificate[1]
    ]
    for name, host_id, begins, ends in sorted(away)[:_NAMED]:
        if now < begins:
            what = f"begins on {begins:%Y-%m-%d %H:%M} UTC: the manager's clock was or is wrong"
        else:
            what = f"expired on {ends:%Y-%m-%d %H:%M} UTC"
        yield Alert(
            f"{name} is offline, and its newest certificate {what}. If it stays offline, start its "
            "agent with a new join token.",
            host_id,
        )
    if len(away) > _NAMED:
        yield Alert(f"{len(away) - _NAMED} other hosts are offline with such certificates too.")


def _ids_of(events: Sequence[RecentEvent], directory: Directory) -> Mapping[str, str]:
    """The host_ids of the hosts that have the names of events now, by name."""
    names = {event.name for event in events}
    if not names:
        return {}
    return {entry.row.name: entry.row.host_id for entry in directory if entry.row.name in names}


def _protocol_violations(
    violations: RefusalsAndViolations, directory: Directory
) -> Iterator[Alert]:
    recent = violations.recent_violations.newest_first()
    ids = _ids_of(recent, directory)
    for noted in recent[:_NAMED]:
        who = noted.name or "An unknown agent"
        times = "" if noted.times == 1 else f" {noted.times} times, most recently"
        text = f"{who} violated the protocol{times}: {noted.text}"
        yield Alert(text, ids.get(noted.name, ""))
    if len(recent) > _NAMED:
        yield Alert(f"{len(recent) - _NAMED} other hosts violated the protocol too; see the audit.")


def _noted(directory: Directory) -> Iterator[Alert]:
    """Pending hosts with a note, for example about another host with the same name."""
    noted = [entry.row for entry in directory.groups.noted]
    for row in sorted(noted, key=lambda row: row.name)[:_NAMED]:
        text = f"Check {row.name} ({row.fingerprint}) before you approve it: {row.note}"
        yield Alert(text, row.host_id)
    if len(noted) > _NAMED:
        yield Alert(
            f"{len(noted) - _NAMED} other pending hosts have notes too.", hosts="state=pending"
        )


def _hosts(hosts: HostCounts) -> Iterator[Alert]:
    if hosts.recovering:
        yield Alert(f"Recovering: {hosts.recovering} hosts with work have not connected yet.")
    if hosts.pending:
        who = "1 host waits" if hosts.pending == 1 else f"{hosts.pending:,} hosts wait"
        yield Alert(f"{who} to be approved.", hosts="state=pending")
    if hosts.maintenance:
        who = "1 host is" if hosts.maintenance == 1 else f"{hosts.maintenance:,} hosts are"
        them = "it" if hosts.maintenance == 1 else "them"
        yield Alert(f"{who} in maintenance: tasks leave {them} out.", hosts="state=maintenance")


def _refused(violations: RefusalsAndViolations, directory: Directory) -> Iterator[Alert]:
    recent = violations.recent_refusals.newest_first()
    ids = _ids_of(recent, directory)
    for noted in recent[:_NAMED]:
        text = f"An agent that says it is {noted.name} was refused: {noted.text}"
        yield Alert(text, ids.get(noted.name, ""))
    if len(recent) > _NAMED:
        yield Alert(
            f"Agents that say they are {len(recent) - _NAMED} other hosts were refused too."
        )


def _bad_tokens(violations: RefusalsAndViolations) -> Iterator[Alert]:
    count = violations.count_bad_tokens()
    if count >= _BAD_TOKENS:
        more = " or more" if count == BAD_TOKENS_MAX else ""
        yield Alert(f"{count}{more} wrong join tokens were used in the last hour; see the audit.")


def _unknown_executions(directory: Directory) -> Iterator[Alert]:
    holding = [
        (entry.row.name, entry.row.host_id, entry.unknown)
        for entry in directory.online_entries()
        if entry.unknown
    ]
    for name, host_id, count in sorted(holding)[:_NAMED]:
        if count == 1:
            many, rest = "1 execution", "it is left to finish"
        else:
            more = " or more" if count == UNKNOWN_MAX else ""
            many, rest = f"{count}{more} executions", "they are left to finish"
        yield Alert(f"{name} holds {many} that this database does not know; {rest}.", host_id)
    if len(holding) > _NAMED:
        yield Alert(
            f"{len(holding) - _NAMED} other hosts hold executions that it does not know too."
        )


def _conflicts(statistics: Statistics) -> Iterator[Alert]:
    count = statistics.counters.conflicting_results
    if count:
        yield Alert(f"{count} second, different results were ignored; see the log.")
