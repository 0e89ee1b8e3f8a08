"""The hosts of the directory in order: windows of lists, and what a target may match.

Which hosts pass the text of a filter is in `host_search.py`.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from tui_manager_protos.rules.version_order import version_key

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.filter_by_target import asks_for_turned_away
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target import TargetHosts, natural_key
from tui_manager.service.core.hosts.host_entry import HostEntry


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


def is_turned_away(entry: HostEntry) -> bool:
    """Whether a host was rejected or revoked."""
    return entry.row.admission not in _ADMISSION_ORDER


def is_faulty(entry: HostEntry, now: datetime) -> bool:
    """Whether a host needs attention. That a host in maintenance is offline is no fault."""
    fine = entry.online or entry.maintenance(now) is not None
    return not (fine and entry.row.admission is Admission.ADMITTED)


class SortedHosts:
    """Keeps what rarely changes. The directory calls `forget` when it has changed."""

    def __init__(self, entries: Mapping[str, HostEntry]) -> None:
        """
        Args:
            entries: all hosts by host_id; the directory changes it.
        """
        self._entries = entries
        self._by_admission: list[HostEntry] | None = None  # then by name
        self._by_name: list[HostEntry] | None = None
        self._targets: TargetHosts | None = None  # that are admitted
        self._all_as_targets: TargetHosts | None = None

    def forget(self) -> None:
        """Hosts have come or gone, or a name or an admission has changed."""
        self._by_admission = self._by_name = None
        self.forget_targets()

    def forget_targets(self) -> None:
        """Something else has changed by which a target chooses hosts."""
        self._targets = self._all_as_targets = None

    def by_name(self) -> list[HostEntry]:
        """All hosts in natural order."""
        if self._by_name is None:
            self._by_name = sorted(self._entries.values(), key=name_key)
        return self._by_name

    def targets(self) -> TargetHosts:
        """What a target may resolve to now, in natural order."""
        if self._targets is None:
            entries, admitted = self.by_name(), Admission.ADMITTED
            found = (entry.target for entry in entries if entry.row.admission is admitted)
            self._targets = TargetHosts(found, in_order=True)
        return self._targets

    def all_as_targets(self) -> TargetHosts:
        """All hosts, also those that are not admitted, for the filter of a list."""
        if self._all_as_targets is None:
            self._all_as_targets = TargetHosts(entry.target for entry in self._entries.values())
        return self._all_as_targets

    def window(
        self,
        window: Window,
        now: datetime,
        passes: Callable[[HostEntry], bool] | None = None,
        among: Collection[str] | None = None,
    ) -> Page[Host]:
        """A window of the list. Unless it names a column, hosts that wait for approval come first,
        and hosts that were turned away last; each group is ordered by name.

        Args:
            now: the time by which a maintenance has ended.
            passes: whether a host passes the text of the window; see `host_search.py`. None: all
                do.
            among: the host_ids of the hosts that may pass; None: all may.
        """
        entries = self._ordered(window, now)
        if among is not None:
            entries = [entry for entry in entries if entry.row.host_id in among]
        if window.faults_only:
            entries = [entry for entry in entries if is_faulty(entry, now)]
        if passes is not None:
            entries = [*filter(passes, entries)]
        total, found = len(self._entries), len(entries)
        if window.hide_turned_away and not asks_for_turned_away(window.text):
            entries = [entry for entry in entries if not is_turned_away(entry)]
            total -= sum(map(is_turned_away, self._entries.values()))
        shown = entries[window.offset : window.offset + min(window.limit, LIMIT_MAX)]
        rows = [entry.to_host(now) for entry in shown]
        return Page(rows, len(entries), total, hidden=found - len(entries))

    def _ordered(self, window: Window, now: datetime) -> list[HostEntry]:
        """The hosts in the order of a window. Orders that rarely change are kept."""
        if self._by_admission is None:
            self._by_admission = sorted(self.by_name(), key=admission_key)
        if order := ORDERS.get(window.sort):
            return sorted(
                self._by_admission,
                key=lambda entry: order(entry, now),
                reverse=window.descending,
            )
        kept = self.by_name() if window.sort == "name" else self._by_admission
        return kept[::-1] if window.descending else kept
