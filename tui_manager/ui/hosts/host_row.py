"""A host as a row of a table, and as a page of facts."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tui_manager.domain.features import Feature
from tui_manager.domain.host import Host, labels_text
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import Admission
from tui_manager.ui.drawing.figures import age, number, precise, since, size, sparkline
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans, wrap
from tui_manager.ui.drawing.states import host_glyph, host_state
from tui_manager.ui.listing.table_layout import Column

_NAME = 9  # cells of the name of a fact
_LIMITS = {
    Feature.MEMORY_MAX: "memory",
    Feature.TASKS_MAX: "processes",
    Feature.CPU_MAX: "CPU time",
}
HOT = 90.0  # percent from which a figure deserves a look

COLUMNS = (
    Column("state", "", 1, sort="state"),
    Column("name", "NAME", 9, grow=1, most=28, sort="name"),
    Column("labels", "LABELS", 10, grow=4, most=48, rank=3),
    Column("cpu", "CPU", 4, right=True, sort="cpu"),
    Column("spark", "", 6, rank=4),
    Column("memory", "MEM", 4, right=True, rank=1, sort="memory"),
    Column("running", "RUN", 3, right=True, sort="running"),
    Column("since", "SINCE", 5, right=True, rank=2, sort="since"),
)
WIDE_COLUMNS = (
    *COLUMNS,
    Column("load", "LOAD", 6, right=True, rank=5),
    Column("capacity", "CAP", 4, right=True, rank=8),
    Column("system", "SYSTEM", 13, rank=7),
    Column("agent", "AGENT", 7, rank=9),
    Column("address", "ADDRESS", 20, rank=6),
)


def host_cell(host: Host, key: str, width: int, now: datetime, *, away: bool = False) -> Spans:
    """The cell of a host in a column; while the manager is `away` its state is not known."""
    if key == "state":
        return (host_glyph(host, away=away),)
    return _CELLS[key](host, width, now)


def _rest(host: Host, width: int, now: datetime) -> Spans:
    """What a host that is not admitted says instead of its figures."""
    words = f": {safe_line(host.fingerprint)}" if host.fingerprint else ""
    if host.admission is not Admission.PENDING:
        return spans(f"{host.admission}{words}", Role.MUTED)
    odd = (
        Span(f"  ▲ {safe_line(host.note)}", Role.FAULT)
        if host.note
        else Span("  a approves, x rejects", Role.MUTED)
    )
    return (Span(f"pending{words}", Role.CAUTION), odd)


def _name(host: Host, width: int, now: datetime) -> Spans:
    return spans(safe_line(host.name), Role.STRONG if host.online else Role.MUTED)


def _since(host: Host, width: int, now: datetime) -> Spans:
    return spans(since(host.since, now), Role.MUTED if host.online else Role.FAULT)


def _running(host: Host, width: int, now: datetime) -> Spans:
    return spans(number(host.running, width), Role.ACTIVE) if host.running else BLANK


def _spark(host: Host, width: int, now: datetime) -> Spans:
    return spans(sparkline(host.cpu_history, width), Role.MUTED) if host.vitals else BLANK


def _cpu(host: Host, width: int, now: datetime) -> Spans:
    return _percent(host.vitals.cpu_percent) if host.vitals else BLANK


def _memory(host: Host, width: int, now: datetime) -> Spans:
    return _percent(host.vitals.memory_percent) if host.vitals else BLANK


def _load(host: Host, width: int, now: datetime) -> Spans:
    if host.vitals is None:
        return BLANK
    load = f"{host.vitals.load_1m:.2f}"
    short = load if len(load) <= width else number(int(host.vitals.load_1m), width)
    return spans(short, Role.MUTED)


def _words(words: Callable[[Host], str]) -> "_Cell":
    return lambda host, width, now: spans(safe_line(words(host)), Role.MUTED)


_Cell = Callable[[Host, int, datetime], Spans]
_CELLS: Mapping[str, _Cell] = {
    "name": _name,
    "labels": lambda host, width, now: spans(safe_line(labels_text(host.labels)), Role.MUTED),
    "rest": _rest,
    "cpu": _cpu,
    "spark": _spark,
    "memory": _memory,
    "running": _running,
    "since": _since,
    "load": _load,
    "capacity": lambda host, width, now: spans(number(host.capacity, width), Role.MUTED),
    "system": _words(lambda host: f"{host.os} {host.arch}"),
    "agent": _words(lambda host: host.agent_version),
    "address": _words(lambda host: host.address),
}


def _percent(value: float) -> Spans:
    return spans(f"{value:.0f}%", Role.CAUTION if value >= HOT else Role.PLAIN)


def host_facts(host: Host, now: datetime, width: int, *, away: bool = False) -> tuple[Spans, ...]:
    """What is known of a host, a line each; what is odd about it in as many as it takes."""
    state = f"{host_state(host)} for {since(host.since, now)}" if host.since else host_state(host)
    state += f" at {now:%H:%M:%S}, not known since" if away else ""
    note = wrap(f"▲ {safe_line(host.note)}", width) if host.note else ()
    words = safe_line(host.fingerprint) or "no certificate"
    lines: list[Spans] = [
        (
            host_glyph(host, away=away),
            Span(f" {safe_line(host.name)}", Role.STRONG),
            Span(f"  {state}"),
        ),
        *((Span(line, Role.FAULT),) for line in note),
        _fact("identity", f"{words}, {safe_line(host.host_id)}"),
        _fact("labels", safe_line(labels_text(host.labels)) or "none"),
        _fact("address", safe_line(host.address)),
        *_fact_lines("system", _system(host), width),
        *(_fact_lines("killing", kept_in, width) if (kept_in := _cgroups(host)) else ()),
    ]
    if (vitals := host.vitals) is not None:
        lines += _fact_lines(
            "load",
            f"{vitals.load_1m:.2f} on {vitals.cores} cores, cpu {vitals.cpu_percent:.0f}%, "
            f"memory {size(vitals.memory_used)} of {size(vitals.memory_total)}",
            width,
        )
        lines += _fact_lines(
            "commands",
            f"{vitals.running} running, {vitals.queued} queued, {host.capacity} at a time",
            width,
        )
        for disk in vitals.disks:
            used = f"{safe_line(disk.mount)}  {size(disk.used)} of {size(disk.total)}"
            lines += _fact_lines("disk", used, width)
    return tuple(lines)


def _system(host: Host) -> str:
    text = safe_line(f"{host.os} {host.arch}, agent {host.agent_version}")
    if (vitals := host.vitals) is None:
        return text
    skew = f"{precise(abs(vitals.skew))} {'ahead' if vitals.skew >= timedelta() else 'behind'}"
    return f"{text}, up {age(vitals.uptime)}, clock {skew}"


def _cgroups(host: Host) -> str:
    """How surely commands are killed there, and what can be limited; empty while it is offline."""
    if not host.online:
        return ""
    if Feature.CGROUP not in host.features:
        return "the processes of a command are looked for, as it has no cgroup of its own"
    limits = [name for feature, name in _LIMITS.items() if feature in host.features]
    return f"each command in a cgroup of its own, which limits {', '.join(limits) or 'nothing'}"


def _fact(name: str, value: str) -> Spans:
    return (Span(f"{name:<{_NAME}}", Role.MUTED), Span(value))


def _fact_lines(name: str, value: str, width: int) -> list[Spans]:
    """A fact in as many lines as it takes: a number that is cut reads as another one."""
    first, *others = wrap(value, width - _NAME)
    return [_fact(name, first), *(_fact("", line) for line in others)]
