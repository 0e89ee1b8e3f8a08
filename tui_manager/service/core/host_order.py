"""The orders of a list of hosts, and which hosts a list leaves out."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tui_manager_protos.rules.version_order import version_key

from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target import natural_key
from tui_manager.service.core.host_entry import HostEntry


def _state_key(entry: HostEntry, now: datetime) -> tuple[int, str]:
    """Hosts that are offline come first, then those in maintenance, then those that are online."""
    return (1 if entry.maintenance(now) else 2 * entry.online, entry.row.admission)


_ADMISSION_ORDER = {Admission.PENDING: 0, Admission.ADMITTED: 1}


def admission_key(entry: HostEntry) -> int:
    """Hosts that wait for an operator come first, hosts that were turned away come last."""
    return _ADMISSION_ORDER.get(entry.row.admission, len(_ADMISSION_ORDER))


def name_key(entry: HostEntry) -> str:
    """Orders hosts by name."""
    entry.sort_key = entry.sort_key or natural_key(entry.row.name)
    return entry.sort_key


ORDERS: dict[str, Callable[[HostEntry, datetime], Any]] = {
    "state": _state_key,
    "cpu": lambda entry, now: entry.vitals.cpu_percent if entry.vitals else -1.0,
    "memory": lambda entry, now: entry.vitals.memory_percent if entry.vitals else -1.0,
    "running": lambda entry, now: entry.vitals.running if entry.vitals else -1,
    "agent": lambda entry, now: (version_key(entry.row.agent_version), entry.row.agent_build),
    "since": lambda entry, now: entry.since.timestamp() if entry.since else 0.0,
}

HOST_SORT_COLUMNS = ("name", *ORDERS)  # that hosts can be sorted by


def went_after(entry: HostEntry, other: HostEntry) -> bool:
    """Whether a host went offline after another one."""
    if entry.since is None or other.since is None:
        return entry.since is not None
    return entry.since > other.since


def is_turned_away(entry: HostEntry) -> bool:
    """Whether a host was rejected or revoked."""
    return entry.row.admission not in _ADMISSION_ORDER


def is_faulty(entry: HostEntry, now: datetime) -> bool:
    """Whether a host needs attention. That a host in maintenance is offline is no fault."""
    fine = entry.online or entry.maintenance(now) is not None
    return not (fine and entry.row.admission is Admission.ADMITTED)
