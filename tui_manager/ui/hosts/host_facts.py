"""What is known of one host, a line each: in short below the list of hosts, and whole on the screen
of the host. Pure."""

from collections.abc import Sequence
from datetime import datetime

from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.hosts.host import Host, HostDetail, labels_text
from tui_manager.domain.text.number_format import age, clock_words, since, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans, shorten, wrap
from tui_manager.ui.drawing.state_words_and_colours import MAINTENANCE, host_glyph, host_state

_NAME = 9  # cells of the name of a fact
_FACT_WIDTH = 24  # cells of the name of one that its agent tells
_LIMITS = {
    Feature.MEMORY_MAX: "memory",
    Feature.TASKS_MAX: "processes",
    Feature.CPU_MAX: "CPU time",
}


def host_facts(host: Host, now: datetime, width: int, *, away: bool = False) -> tuple[Spans, ...]:
    """What is known of a host, one line each. Its note may take several lines."""
    host = host.at(now)
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
        *((Span(line, Role.CAUTION),) for line in maintenance_lines(host, now, width)),
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


def machine_facts(detail: HostDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    """What its agent tells of the machine, and how old that is; nothing if it has told nothing."""
    if detail.facts_at is None:
        return ()
    facts = "  ".join(f"{name}={safe_line(detail.facts[name])}" for name in sorted(detail.facts))
    text = f"told {since(detail.facts_at, now)} ago: {facts}"
    return tuple(_fact_lines("facts", text, width))


def all_facts(detail: HostDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    """Everything that the head of its screen does not say: identity, limits, sizes, and the facts
    that its agent tells, a line each."""
    host = detail.host
    words = safe_line(host.fingerprint) or "no certificate"
    lines = [
        *_fact_lines("identity", f"{words}, {safe_line(host.host_id)}", width),
        *(_fact_lines("killing", kept_in, width) if (kept_in := _cgroups(host)) else ()),
        *_sizes(host, width),
    ]
    if detail.facts_at is None:
        lines.append(_fact("facts", "its agent has reported none yet"))
        return tuple(lines)
    lines += [(), _fact("facts", f"told {since(detail.facts_at, now)} ago")]
    column = min(max(map(len, detail.facts), default=0), _FACT_WIDTH)
    for name in sorted(detail.facts):
        value = wrap(safe_line(detail.facts[name]), width - column - 2)
        for number, line in enumerate(value):
            label = shorten(safe_line(name), column) if not number else ""
            lines.append((Span(f"{label:<{column}}  ", Role.MUTED), Span(line)))
    return tuple(lines)


def _sizes(host: Host, width: int) -> list[Spans]:
    """What runs there and how many may, memory and disks."""
    if (vitals := host.vitals) is None:
        return []
    busy = f"{vitals.running} running, {vitals.queued} queued, {host.capacity} at a time"
    memory = f"{size(vitals.memory_used)} of {size(vitals.memory_total)}"
    lines = [*_fact_lines("commands", busy, width), *_fact_lines("memory", memory, width)]
    for disk in vitals.disks:
        used = f"{safe_line(disk.mount)}  {size(disk.used)} of {size(disk.total)}"
        lines += _fact_lines("disk", used, width)
    return lines


def maintenance_lines(host: Host, now: datetime, width: int) -> Sequence[str]:
    """Why it is in maintenance, who said so, and until when."""
    if (found := host.maintenance) is None:
        return ()
    end = f"{found.until.astimezone(now.tzinfo):%Y-%m-%d %H:%M}" if found.until else "it is ended"
    text = f"{safe_line(found.reason)}, until {end} ({safe_line(found.asked_by)})"
    return wrap(f"{MAINTENANCE.text} {text}", width)


def _system(host: Host) -> str:
    text = safe_line(f"{host.os} {host.arch}, agent {host.agent}")
    if (vitals := host.vitals) is None:
        return text
    return f"{text}, up {age(vitals.uptime)}, clock {clock_words(vitals.skew)}"


def _cgroups(host: Host) -> str:
    """How commands are killed there, and what can be limited; empty while it is offline."""
    if not host.online:
        return ""
    if Feature.CGROUP not in host.features:
        return "the agent looks for the processes of a command, as it cannot give it a cgroup"
    limits = [name for feature, name in _LIMITS.items() if feature in host.features]
    text = "a command is killed with all processes of its cgroup"
    return f"{text}, which can limit {', '.join(limits)}" if limits else text


def _fact(name: str, value: str) -> Spans:
    return (Span(f"{name:<{_NAME}}", Role.MUTED), Span(value))


def _fact_lines(name: str, value: str, width: int) -> list[Spans]:
    """A fact in several lines if it is long. A cut number would read as another one."""
    first, *others = wrap(value, width - _NAME)
    return [_fact(name, first), *(_fact("", line) for line in others)]
