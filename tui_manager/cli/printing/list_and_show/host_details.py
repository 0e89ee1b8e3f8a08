"""One host as text for people: what `hosts show` prints. The table of `hosts` is in
`list_tables.py`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tui_manager.cli.printing.list_and_show.list_tables import host_state, task_of_host_table
from tui_manager.cli.printing.write_text import local_time, one_line
from tui_manager.domain.hosts.host import Host, HostDetail, labels_text
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.number_format import age

_GIB = 1 << 30


def maintenance_text(maintenance: Maintenance) -> str:
    """Until when it lasts, who began it, and why."""
    end = "an operator ends it" if maintenance.until is None else local_time(maintenance.until)
    return f"until {end} ({maintenance.asked_by}): {maintenance.reason}"


def host_text(detail: HostDetail) -> str:
    """What is known of a host: the host itself, its facts with their age, its newest tasks."""
    host = detail.host
    lines = [
        ("Host", host.name),
        ("State", f"{host_state(host)} since {local_time(host.since)}"),
        ("Note", host.note),
        ("Maintenance", maintenance_text(host.maintenance) if host.maintenance else ""),
        ("Id", host.host_id),
        ("Fingerprint", host.fingerprint),
        ("Labels", labels_text(host.labels)),
        ("By operators", labels_text(detail.operator_labels)),
        ("Address", host.address),
        ("Manager", detail.manager),
        ("System", f"{host.os} {host.arch}, agent {host.agent}"),
        ("Installed by", host.installed_by),
        *_vitals_lines(host),
    ]
    return _lines(lines) + _facts_text(detail) + _tasks_text(detail.tasks)


def _lines(lines: Iterable[tuple[str, str]]) -> str:
    """Names and values. Without those that have no value."""
    return "".join(f"{name:<12} {one_line(text)}\n" for name, text in lines if text)


def _vitals_lines(host: Host) -> list[tuple[str, str]]:
    vitals = host.vitals
    if vitals is None:
        return []
    queued = f", {vitals.queued} queued" if vitals.queued else ""
    return [
        ("Commands", f"{vitals.running} running{queued}, {host.capacity} at a time"),
        (
            "CPU",
            f"{vitals.cpu_percent:.0f}% of {vitals.cores} cores, load {vitals.load_1m:.2f}",
        ),
        ("Memory", f"{vitals.memory_percent:.0f}% of {_gib(vitals.memory_total)}"),
        *(("Disk", _disk(disk.mount, disk.used, disk.total)) for disk in vitals.disks),
        ("Up", f"{age(vitals.uptime)}, clock {_skew(vitals)}"),
    ]


def _disk(mount: str, used: int, total: int) -> str:
    percent = f"{100 * used / total:.0f}%" if total else "nothing"
    return f"{mount}  {percent} of {_gib(total)}"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"


def _skew(vitals: Vitals) -> str:
    ahead = vitals.skew >= timedelta(0)
    return f"{abs(vitals.skew).total_seconds():.1f}s {'ahead' if ahead else 'behind'}"


def _facts_text(detail: HostDetail) -> str:
    if detail.facts_at is None:
        return "\nNo facts: its agent has reported none.\n"
    ago = age(datetime.now(UTC) - detail.facts_at)
    heading = f"\nFacts, told {local_time(detail.facts_at)} ({ago} ago)\n"
    return heading + _facts_lines(detail.facts)


def _facts_lines(facts: Mapping[str, str]) -> str:
    width = max(map(len, facts), default=0)
    return "".join(f"  {name:<{width}}  {one_line(facts[name])}\n" for name in sorted(facts))


def _tasks_text(tasks: Sequence[Task]) -> str:
    return f"\n{task_of_host_table(tasks)}" if tasks else "\nNo tasks have run on it.\n"
