"""All hosts in memory: what is stored of each, who is connected, and the newest vitals."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tui_manager.domain.host import Host
from tui_manager.domain.host_terms import asks_for_turned_away
from tui_manager.domain.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.status import Admission, best_admission
from tui_manager.domain.target import TargetHost, natural_key
from tui_manager.domain.task import CommandHost
from tui_manager.service.core.host_entry import HostEntry, LiveSession
from tui_manager.storage.tables.hosts import HostRow


def _state_key(entry: HostEntry, now: datetime) -> tuple[int, str]:
    """Hosts that are offline come first, then those in maintenance, then those that are online."""
    return (1 if entry.maintenance(now) else 2 * entry.online, entry.row.admission)


_ADMISSION_ORDER = {Admission.PENDING: 0, Admission.ADMITTED: 1}


def _admission_key(entry: HostEntry) -> int:
    """Hosts that wait for an operator come first, hosts that were turned away come last."""
    return _ADMISSION_ORDER.get(entry.row.admission, len(_ADMISSION_ORDER))


def _name_key(entry: HostEntry) -> str:
    entry.sort_key = entry.sort_key or natural_key(entry.row.name)
    return entry.sort_key


_ORDERS: dict[str, Callable[[HostEntry, datetime], Any]] = {
    "state": _state_key,
    "cpu": lambda entry, now: entry.vitals.cpu_percent if entry.vitals else -1.0,
    "memory": lambda entry, now: entry.vitals.memory_percent if entry.vitals else -1.0,
    "running": lambda entry, now: entry.vitals.running if entry.vitals else -1,
    "since": lambda entry, now: entry.since.timestamp() if entry.since else 0.0,
}

HOST_SORT_COLUMNS = ("name", *_ORDERS)  # that hosts can be sorted by


def _as_target(row: HostRow) -> TargetHost:
    return TargetHost(row.host_id, row.name, row.labels, row.facts, row.maintenance)


EXPECTED_FOR = 60.0  # seconds after a start, for hosts that were online when the manager stopped


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


class Directory:
    """All hosts by host_id. Changed only on the manager's loop, after the database has changed."""

    def __init__(self) -> None:
        self._entries: dict[str, HostEntry] = {}
        self._by_row_id: dict[int, HostEntry] = {}
        self._by_admission: list[HostEntry] | None = None  # then by name
        self._by_name: list[HostEntry] | None = None
        self._targets: list[TargetHost] | None = None  # that are admitted
        self._all_as_targets: list[TargetHost] | None = None
        self._online: set[int] = set()  # row ids
        self._moved: set[int] = set()  # row ids, see `take_moved`
        self._expected: list[HostEntry] = []  # were online when the manager stopped

    @property
    def online(self) -> int:
        """How many hosts are connected."""
        return len(self._online)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[HostEntry]:
        return iter(self._entries.values())

    def load(
        self,
        rows: Iterable[HostRow],
        monotonic: float,
        with_work: Collection[str] = (),
        were_online: Collection[int] = (),
    ) -> None:
        """Adds the stored hosts, all offline since `monotonic` (seconds), and sorts them.

        Args:
            with_work: host_ids of hosts with commands that were sent or wait.
            were_online: row ids of hosts that were connected when the manager stopped. They are
                expected for a while.
        """
        for row in rows:
            recovering = row.host_id in with_work
            entry = HostEntry(row, monotonic, since=row.since, recovering=recovering)
            self._add(entry)
            if row.row_id in were_online:
                entry.expected_until = monotonic + EXPECTED_FOR
                self._expected.append(entry)
        self._sorted_by_name()  # now, as the first time takes longest

    def _add(self, entry: HostEntry) -> None:
        self._entries[entry.row.host_id] = entry
        self._by_row_id[entry.row.row_id] = entry
        self._by_admission = self._by_name = self._targets = self._all_as_targets = None

    def get(self, host_id: str) -> HostEntry | None:
        """One host."""
        return self._entries.get(host_id)

    def by_row_id(self, row_id: int) -> HostEntry:
        """The host with this row in the database."""
        return self._by_row_id[row_id]

    def open_session(self, row: HostRow, session: LiveSession, now: datetime) -> None:
        """A session has begun; `row` is what is stored of its host now."""
        entry = self._entries.get(row.host_id)
        if entry is None:
            entry = HostEntry(row, silent_since=session.heard_at)
            self._add(entry)
        self._replace_row(entry, row)
        if entry.session is None:
            entry.since = now
        entry.session = session
        self._online.add(row.row_id)
        self._moved.add(row.row_id)
        entry.declared_lost = entry.recovering = False
        entry.expected_until = 0.0

    def put(self, row: HostRow, now: datetime, monotonic: float) -> None:
        """`row` is what is stored of a host now. A new host is offline.

        Args:
            monotonic: seconds.
        """
        entry = self._entries.get(row.host_id)
        if entry is None:
            self._add(HostEntry(row, monotonic, since=now))
            return
        self._replace_row(entry, row)

    def remove(self, host_id: str) -> None:
        """A host was removed; it was offline. It is still found by its row, which may have been
        read from the database before."""
        del self._entries[host_id]
        self._by_admission = self._by_name = self._targets = self._all_as_targets = None

    def _replace_row(self, entry: HostEntry, row: HostRow) -> None:
        """Takes the new row, after which the host may have another place in the lists."""
        before, entry.row = entry.row, row
        if before.name != row.name:
            entry.sort_key = ""
        if (before.name, before.admission) != (row.name, row.admission):
            self._by_admission = self._by_name = self._targets = self._all_as_targets = None
        if (before.labels, before.maintenance, before.facts) != (
            row.labels,
            row.maintenance,
            row.facts,
        ):
            self._targets = self._all_as_targets = None
        entry.search_text = entry.kept_variables = None

    def close_session(self, host_id: str, generation: int, now: datetime, monotonic: float) -> bool:
        """A session has ended; False if a newer one has already replaced it. The host is silent
        since it was heard last, which may be some heartbeats ago."""
        entry = self._entries.get(host_id)
        session = entry.session_of(generation) if entry else None
        if entry is None or session is None:
            return False
        entry.silent_since = monotonic if session.busy else session.heard_at
        entry.session, entry.vitals, entry.since, entry.declared_lost = None, None, now, False
        self._online.discard(entry.row.row_id)
        self._moved.add(entry.row.row_id)
        entry.cpu.clear()
        return True

    def update_running(self, host_id: str, started: Iterable[str], ended: Iterable[str]) -> bool:
        """Executions have started and ended on a host. Returns whether their number has changed.

        The number in the vitals is not used: vitals may arrive before or after the reports of the
        same starts and ends.
        """
        entry = self._entries.get(host_id)
        if entry is None or entry.session is None:
            return False
        running = entry.session.running
        before = len(running)
        running.update(started)
        running.difference_update(ended)
        if entry.vitals and len(running) != entry.vitals.running:
            entry.vitals = replace(entry.vitals, running=len(running))
        return len(running) != before

    def targets(self) -> list[TargetHost]:
        """What a target may resolve to now, in natural order."""
        if self._targets is None:
            rows = (entry.row for entry in self._sorted_by_name())
            admitted = Admission.ADMITTED
            self._targets = [_as_target(row) for row in rows if row.admission is admitted]
        return self._targets

    def all_as_targets(self) -> list[TargetHost]:
        """All hosts, also those that are not admitted, for the filter of a list."""
        if self._all_as_targets is None:
            self._all_as_targets = [_as_target(entry.row) for entry in self]
        return self._all_as_targets

    def admission_of(self, name: str) -> Admission | None:
        """The admission of the host with this name; None: there is none. See `best_admission`."""
        return best_admission({entry.row.admission for entry in self if entry.row.name == name})

    def is_online(self, host_id: str) -> bool:
        """Whether a host is connected now."""
        entry = self._entries.get(host_id)
        return entry is not None and entry.online

    def without_wait_if_online(self, row: CommandHost) -> CommandHost:
        """A command of a host that is connected does not wait for the connection."""
        if row.waits_until is None or not self.is_online(row.host_id):
            return row
        return replace(row, waits_until=None)

    def offline_rows(self) -> frozenset[int]:
        """Row ids of the hosts that are not connected now."""
        return frozenset(self._by_row_id.keys() - self._online)

    def online_rows(self) -> frozenset[int]:
        """Row ids of the hosts that are connected now."""
        return frozenset(self._online)

    def take_moved(self) -> set[int]:
        """Row ids of the hosts of which a session has begun or ended since the last call, also if
        the same is connected as before."""
        moved, self._moved = self._moved, set()
        return moved

    def expected_rows(self, monotonic: float) -> dict[int, float]:
        """Row ids of the hosts that were connected when the manager stopped and may still come
        back: so many seconds are left for each. A host that was declared lost is not expected, but
        one whose session is being opened is, because it is not online yet."""
        return {
            entry.row.row_id: entry.expected_until - monotonic
            for entry in self._expected
            if not (entry.online or entry.declared_lost) and entry.expected_until > monotonic
        }

    def reachable_rows(self, monotonic: float) -> frozenset[int]:
        """Row ids of the hosts that are connected, or are expected."""
        return self.online_rows() | self.expected_rows(monotonic).keys()

    def not_back(self, monotonic: float) -> list[HostEntry]:
        """The hosts that have not come back while they were expected."""
        return [
            entry
            for entry in self._expected
            if entry.away and 0 < entry.expected_until <= monotonic
        ]

    def expect_no_more(self, entries: Iterable[HostEntry]) -> None:
        """Forgets that these were expected."""
        for entry in entries:
            entry.expected_until = 0.0
        self._expected = [entry for entry in self._expected if entry.expected_until]

    def counts(self) -> tuple[int, int, int]:
        """How many hosts are admitted, how many of these are online, and how many others wait for
        their admission."""
        total = online = pending = 0
        for entry in self._entries.values():
            admission = entry.row.admission
            if admission is Admission.ADMITTED:
                total += 1
                online += entry.session is not None
            pending += admission is Admission.PENDING
        return total, online, pending

    def in_maintenance(self, now: datetime) -> tuple[int, int]:
        """How many hosts are in maintenance, and how many of these are offline; without the hosts
        that were turned away."""
        found = [
            entry
            for entry in self._entries.values()
            if entry.row.admission in _ADMISSION_ORDER and entry.maintenance(now)
        ]
        return len(found), sum(not entry.online for entry in found)

    def load_of_fleet(self, now: datetime) -> Load:
        """How many admitted hosts are offline, and how many run something."""
        offline, busy, newest = 0, 0, None
        for entry in self._entries.values():
            if entry.row.admission is not Admission.ADMITTED:
                continue
            if entry.session is not None:
                busy += bool(entry.session.running)
            elif not entry.maintenance(now):
                offline += 1
                if newest is None or _went_after(entry, newest):
                    newest = entry
        return Load(offline, newest, busy)

    def window(
        self,
        window: Window,
        now: datetime,
        passes: Callable[[HostEntry], bool] | None = None,
    ) -> Page[Host]:
        """A window of the list. Unless it names a column, hosts that wait for approval come first,
        and hosts that were turned away last; each group is ordered by name.

        Args:
            now: the time by which a maintenance has ended.
            passes: whether a host passes the text of the window; see `host_search.py`.
        """
        entries = self._ordered(window, now)
        if window.faults_only:
            entries = [entry for entry in entries if _is_faulty(entry, now)]
        if passes is not None:
            entries = [*filter(passes, entries)]
        total, found = len(self._entries), len(entries)
        if window.hide_turned_away and not asks_for_turned_away(window.text):
            entries = [entry for entry in entries if not _is_turned_away(entry)]
            total -= sum(map(_is_turned_away, self._entries.values()))
        shown = entries[window.offset : window.offset + min(window.limit, LIMIT_MAX)]
        rows = [entry.to_host(now) for entry in shown]
        return Page(rows, len(entries), total, hidden=found - len(entries))

    def _sorted_by_name(self) -> list[HostEntry]:
        if self._by_name is None:
            self._by_name = sorted(self._entries.values(), key=_name_key)
        return self._by_name

    def _ordered(self, window: Window, now: datetime) -> list[HostEntry]:
        """The hosts in the order of a window. Orders that rarely change are kept."""
        if self._by_admission is None:
            self._by_admission = sorted(self._sorted_by_name(), key=_admission_key)
        if order := _ORDERS.get(window.sort):
            return sorted(
                self._by_admission,
                key=lambda entry: order(entry, now),
                reverse=window.descending,
            )
        kept = self._sorted_by_name() if window.sort == "name" else self._by_admission
        return kept[::-1] if window.descending else kept


def _went_after(entry: HostEntry, other: HostEntry) -> bool:
    """Whether a host went offline after another one."""
    if entry.since is None or other.since is None:
        return entry.since is not None
    return entry.since > other.since


def _is_turned_away(entry: HostEntry) -> bool:
    return entry.row.admission not in _ADMISSION_ORDER


def _is_faulty(entry: HostEntry, now: datetime) -> bool:
    """Whether a host needs attention. That a host in maintenance is offline is no fault."""
    fine = entry.online or entry.maintenance(now) is not None
    return not (fine and entry.row.admission is Admission.ADMITTED)
