"""The figures of the manager's screen. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tui_manager_protos.rules.duration import rough_duration

from tui_manager.domain.manager.manager_status import Health, ManagerStatus
from tui_manager.domain.text.number_format import age, short_duration, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, width_of, wrap
from tui_manager.ui.listing.table_layout import GAP

_NAME = 10  # cells
_LONG_LOG = 64 << 20  # bytes from which the log is shown


def figure_lines(status: ManagerStatus, now: datetime, width: int) -> tuple[Spans, ...]:
    """A name and a value in each line, the most important first. Two columns if they fit."""
    fleet = [_line(*pair) for pair in _fleet(status, now)]
    own = [_line(*pair) for pair in _own(status)]
    place = f"{status.state_dir}  (process {status.pid}, {status.manager_id})"
    state = _wrapped("state", place, width)
    if status.database:
        where = f"{safe_line(status.database)}, {size(status.health.database_bytes)}"
        state = (*_wrapped("database", where, width), *state)
    storage = status.health.storage_error
    faults = [(Span(f"{'storage':<{_NAME}}", Role.MUTED), _fault(storage))] if storage else []
    left = max(map(width_of, fleet)) + 2 * GAP
    if left + max(map(width_of, own)) > width:
        return (*faults, *fleet, *own, *state)
    sides = zip(_padded(fleet, len(own)), _padded(own, len(fleet)), strict=True)
    return (*faults, *((*fit(a, left), *b) for a, b in sides), *state)


def _fleet(status: ManagerStatus, now: datetime) -> Sequence[tuple[str, str]]:
    health = status.health
    state = "recovering" if status.recovering else "running"
    enrolment = f"join at {status.enroll_address}" if status.enroll_address else "no TLS"
    return (
        ("manager", f"{state} for {age(now - status.started_at)}, version {status.version}"),
        *_leader(status),
        ("address", status.address),
        ("security", f"{status.security}, {enrolment}"),
        (
            "hosts",
            f"{status.hosts_online:,} of {status.hosts_total:,} online, "
            f"{status.hosts_pending:,} pending",
        ),
        ("tasks", f"{status.tasks_running} running, {_rate(status)}"),
        ("output", f"{size(health.bytes_per_second)} a second"),
        *_clock(status),
    )


def _leader(status: ManagerStatus) -> Sequence[tuple[str, str]]:
    """Which manager leads; nothing if there is only one. A manager that cannot use the database
    hears of no other one."""
    if not status.other_managers:
        return ()
    nobody = "not known" if status.health.storage_error else "no manager leads"
    leader = "this manager" if status.leads else safe_line(status.leader)
    return (("leader", leader or nobody),)


def _clock(status: ManagerStatus) -> Sequence[tuple[str, str]]:
    if status.clock_ahead is None:
        return ()
    side = "ahead" if status.clock_ahead > timedelta(0) else "behind"
    waits = f", pruning waits for at most {age(status.clock_waits)}" if status.clock_waits else ""
    return (("clock", f"{rough_duration(abs(status.clock_ahead))} {side}{waits}"),)


def _rate(status: ManagerStatus) -> str:
    return f"{status.health.commands_per_second:,.1f} results a second"


def _own(status: ManagerStatus) -> Sequence[tuple[str, str]]:
    health = status.health
    return (
        ("commit", f"{short_duration(health.commit_seconds)} median"),
        ("delay", f"{short_duration(health.loop_lag_seconds)} at worst"),
        ("queues", f"{health.write_queue:,} write, {health.send_queue:,} send"),
        ("process", f"{size(health.memory_bytes)}, {health.cpu_percent:.0f}% cpu"),
        *(() if status.database else (("database", _database(health)),)),
        ("agents", f"{health.sessions:,} connected"),
    )


def _database(health: Health) -> str:
    whole = size(health.database_bytes)
    return f"{whole}, log {size(health.log_bytes)}" if health.log_bytes > _LONG_LOG else whole


def _wrapped(name: str, value: str, width: int) -> tuple[Spans, ...]:
    """A name and a value, which may take several lines."""
    first, *others = wrap(value, width - _NAME)
    return (_line(name, first), *(_line("", line) for line in others))


def _line(name: str, value: str) -> Spans:
    return (Span(f"{name:<{_NAME}}", Role.MUTED), Span(value))


def _padded(lines: Sequence[Spans], count: int) -> Sequence[Spans]:
    return [*lines, *[()] * (count - len(lines))]


def _fault(text: str) -> Span:
    return Span(f"✘ {safe_line(text)}", Role.FAULT)
