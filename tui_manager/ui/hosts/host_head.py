"""The head of the screen of a host: its state and what it is, and its vitals over the last hour.
Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from tui_manager.domain.hosts.host import Host, HostDetail, labels_text
from tui_manager.domain.hosts.vitals import HISTORY_MINUTES, Disk, Vitals, VitalsPoint
from tui_manager.domain.status import Admission
from tui_manager.domain.text.number_format import age, clock_words, since, sparkline
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import Role, Span, Spans, flow, shorten, wrap
from tui_manager.ui.drawing.state_words_and_colours import host_glyph, host_state
from tui_manager.ui.hosts.all_hosts_table import HIGH
from tui_manager.ui.hosts.host_facts import maintenance_lines

SKEWED = timedelta(seconds=2)  # from which a clock deserves a look
_GAP = "·"  # a minute without vitals
_SPARK_LEAST = 10  # cells
_DISKS = 3  # that have a bar
_BAR = 10  # cells
_MOUNT_WIDTH = 24  # cells
_WITHOUT_SPARKS = len("cpu  100%   mem  100%")


def host_head(
    detail: HostDetail, now: datetime, width: int, *, away: bool = False
) -> tuple[Spans, ...]:
    """Name, state, labels, system, address and admission; then its note and its maintenance.

    Args:
        away: the manager cannot be reached, so its state is not known.
    """
    host = detail.host.at(now)
    name = (host_glyph(host, away=away), Span(f" {safe_line(host.name)}", Role.STRONG))
    parts = [name, _state(host, now, away=away)]
    if labels := labels_text(host.labels):
        parts += [(Span(shorten(safe_line(labels), width)),)]
    known = [
        _system(detail),
        f"up {age(host.vitals.uptime)}" if host.vitals else "",
        f"agent {host.agent}" if host.agent_version else "",
        host.address,
        f"at manager {detail.manager}" if detail.manager else "",
        _admitted(detail, now),
    ]
    parts += [(Span(shorten(safe_line(text), width), Role.MUTED),) for text in known if text]
    note = wrap(f"▲ {safe_line(host.note)}", width) if host.note else ()
    return (
        *flow(parts, width),
        *((Span(line, Role.FAULT),) for line in note),
        *((Span(line, Role.CAUTION),) for line in maintenance_lines(host, now, width)),
    )


def _state(host: Host, now: datetime, *, away: bool) -> Spans:
    text = host_state(host)
    text += f" for {since(host.since, now)}" if host.since else ""
    if away:
        return (Span(f"{text} at {now:%H:%M:%S}, not known since", Role.CAUTION),)
    if host.admission is not Admission.ADMITTED:
        words = f": {safe_line(host.fingerprint)}" if host.fingerprint else ""
        return (Span(f"{text}{words}", Role.CAUTION),)
    fault = not host.online and not host.maintenance
    return (Span(text, Role.FAULT if fault else Role.PLAIN),)


def _system(detail: HostDetail) -> str:
    """`Debian GNU/Linux 12, Linux x86_64`."""
    host = detail.host
    return ", ".join(filter(None, (detail.facts.get("os_name", ""), f"{host.os} {host.arch}")))


def _admitted(detail: HostDetail, now: datetime) -> str:
    """`admitted 3 Nov by ana`, with the year if it is another one."""
    if detail.admitted_at is None or detail.host.admission is not Admission.ADMITTED:
        return ""
    at = detail.admitted_at.astimezone(now.tzinfo)
    year = "" if at.year == now.year else f" {at.year}"
    by = detail.admitted_by.partition("@")[0] or detail.admitted_by
    return f"admitted {at.day} {at:%b}{year} by {by}"


def minutes_of(
    points: Sequence[VitalsPoint], now: datetime
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """CPU and memory of each minute of the last hour, oldest first; None for one without vitals.

    Args:
        now: when the points were read.
    """
    cpu: list[float | None] = [None] * HISTORY_MINUTES
    memory: list[float | None] = [None] * HISTORY_MINUTES
    for point in points:
        minutes = max(0, (now - point.at) // timedelta(minutes=1))
        if minutes < HISTORY_MINUTES:
            cpu[-1 - minutes], memory[-1 - minutes] = point.cpu_percent, point.memory_percent
    return tuple(cpu), tuple(memory)


def spark_of_hour(values: Sequence[float | None], width: int) -> str:
    """The last hour in at most `width` cells, a dot for a time without vitals. A cell that stands
    for several minutes shows the highest of them, so that no peak is lost."""
    cells = max(1, min(width, len(values)))
    text = []
    for cell in range(cells):
        minutes = values[cell * len(values) // cells : (cell + 1) * len(values) // cells]
        known = [value for value in minutes if value is not None]
        text.append(sparkline((max(known),), 1) if known else _GAP)
    return "".join(text)


def host_vitals(detail: HostDetail, read_at: datetime, width: int) -> tuple[Spans, ...]:
    """CPU and memory over the last hour, disks, load and clock.

    Args:
        read_at: when `detail` was read.
    """
    vitals = detail.host.vitals
    if vitals is None and not detail.vitals_history:
        return ()
    cells = max(_SPARK_LEAST, (width - _WITHOUT_SPARKS) // 2)
    cpu, memory = minutes_of(detail.vitals_history, read_at)
    parts = [
        _spark("cpu", cpu, vitals.cpu_percent if vitals else None, cells),
        _spark("mem", memory, vitals.memory_percent if vitals else None, cells),
    ]
    if vitals is not None:
        parts += [*_disks(vitals.disks), _load(vitals), _clock(vitals.skew)]
    return flow(parts, width)


def _spark(name: str, values: Sequence[float | None], newest: float | None, cells: int) -> Spans:
    """`cpu ▁▂▃ 49%`; the number has its place also while the host is offline."""
    number = f"{newest:.0f}%" if newest is not None else "-"
    role = Role.CAUTION if newest is not None and newest >= HIGH else Role.PLAIN
    return (
        Span(f"{name} ", Role.MUTED),
        Span(spark_of_hour(values, cells), Role.ACTIVE),
        Span(f" {number:>4}", role),
    )


def _disks(disks: Iterable[Disk]) -> list[Spans]:
    """A bar for each of the fullest disks."""
    by_use = sorted((disk for disk in disks if disk.total), key=lambda d: -d.used / d.total)
    parts = [_disk(disk) for disk in by_use[:_DISKS]]
    if (more := len(by_use) - _DISKS) > 0:
        parts.append((Span(f"{more:,} more disk{'s' * (more > 1)}", Role.MUTED),))
    return parts


def _disk(disk: Disk) -> Spans:
    percent = 100 * disk.used / disk.total
    full = min(_BAR, max(int(percent > 0), round(percent / 100 * _BAR)))
    role = Role.CAUTION if percent >= HIGH else Role.PLAIN
    return (
        Span(f"{shorten(safe_line(disk.mount), _MOUNT_WIDTH)} ", Role.MUTED),
        Span("▓" * full, role),
        Span("░" * (_BAR - full), Role.MUTED),
        Span(f" {percent:.0f}%", role),
    )


def _load(vitals: Vitals) -> Spans:
    cores = f" on {vitals.cores:,} core{'s' * (vitals.cores != 1)}" if vitals.cores else ""
    busy = vitals.cores and vitals.load_1m > 2 * vitals.cores
    role = Role.CAUTION if busy else Role.PLAIN
    return (Span("load ", Role.MUTED), Span(f"{vitals.load_1m:.2f}{cores}", role))


def _clock(skew: timedelta) -> Spans:
    """`clock 12ms ahead`, `clock right`."""
    role = Role.CAUTION if abs(skew) >= SKEWED else Role.PLAIN
    return (Span("clock ", Role.MUTED), Span(clock_words(skew), role))
