"""How many hosts are online, wait, are in maintenance, work: counted when a status is asked for."""

from dataclasses import dataclass
from datetime import datetime

from tui_manager.domain.status import Admission
from tui_manager.service.core.host_directory import Directory
from tui_manager.service.core.host_entry import HostEntry
from tui_manager.service.core.host_order import is_turned_away, went_after


@dataclass(frozen=True, slots=True)
class Load:
    """Which admitted hosts cannot work, and which work.

    Attributes:
        offline: hosts that are offline and not in maintenance.
        newest_offline: the one of these that went offline last; None: there is none.
        busy: hosts on which a command runs.
    """

    offline: int
    newest_offline: HostEntry | None
    busy: int


def counts(directory: Directory) -> tuple[int, int, int]:
    """How many hosts are admitted, how many of these are online, and how many others wait for
    their admission."""
    total = online = pending = 0
    for entry in directory:
        admission = entry.row.admission
        if admission is Admission.ADMITTED:
            total += 1
            online += entry.online
        pending += admission is Admission.PENDING
    return total, online, pending


def in_maintenance(directory: Directory, now: datetime) -> tuple[int, int]:
    """How many hosts are in maintenance, and how many of these are offline; without the hosts
    that were turned away."""
    found = [entry for entry in directory if not is_turned_away(entry) and entry.maintenance(now)]
    return len(found), sum(not entry.online for entry in found)


def load_of_fleet(directory: Directory, now: datetime) -> Load:
    """How many admitted hosts are offline, and how many run something."""
    offline, busy, newest = 0, 0, None
    for entry in directory:
        if entry.row.admission is not Admission.ADMITTED:
            continue
        if entry.online:
            busy += bool(entry.running)
        elif not entry.maintenance(now):
            offline += 1
            if newest is None or went_after(entry, newest):
                newest = entry
    return Load(offline, newest, busy)
