"""The hosts in memory: what is stored of each, who is connected, and the newest vitals."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tui_manager.domain.host import Host, Vitals
from tui_manager.domain.status import Admission
from tui_manager.domain.target import TargetHost, natural_key
from tui_manager.domain.window import LIMIT_MAX, Page, Window
from tui_manager.service.hosts.live_session import LiveSession
from tui_manager.storage.tables.hosts import HostRow

_CPU_READINGS = 30


@dataclass(slots=True)
class Entry:
    """One host.

    Attributes:
        silent_since: when it was heard last, or the manager started; monotonic seconds.
        arriving: sessions of it that are being opened, which the database may know already.
        judged: whether this silence has already turned its work into failure.
        recovering: it had work when the manager started, and has not come back yet.
        searched: lines in which a filter looks for its text; None: to be made of the row.
        place: among all by name; empty: to be made of the name.
        issued: beginning and end of the newest certificate that it got since the manager started.
    """

    row: HostRow
    silent_since: float
    session: LiveSession | None = None
    vitals: Vitals | None = None
    cpu: deque[float] = field(default_factory=lambda: deque(maxlen=_CPU_READINGS))
    since: datetime | None = None
    judged: bool = False
    recovering: bool = False
    arriving: int = 0
    searched: str | None = None
    place: str = ""
    issued: tuple[datetime, datetime] | None = None

    @property
    def online(self) -> bool:
        """Whether an agent is connected."""
        return self.session is not None

    @property
    def away(self) -> bool:
        """Whether no agent is connected, and none is just being welcomed."""
        return not (self.online or self.arriving)

    def host(self) -> Host:
        """The host as lists show it."""
        row = self.row
        return Host(
            host_id=row.host_id,
            name=row.name,
            labels=row.labels,
            admission=row.admission,
            online=self.online,
            since=self.since,
            address=row.address,
            os=row.os,
            arch=row.arch,
            agent_version=row.agent_version,
            capacity=row.capacity,
            vitals=self.vitals if self.online else None,
            cpu_history=tuple(self.cpu),
            fingerprint=row.fingerprint,
            note=row.note,
            features=frozenset(self.session.features) if self.session else frozenset(),
        )


def _state(entry: Entry) -> tuple[bool, str]:
    return (entry.online, entry.row.admission)


_PLACES = {Admission.PENDING: 0, Admission.ADMITTED: 1}


def _own_order(entry: Entry) -> int:
    """Who waits for an operator first, who was turned away last."""
    return _PLACES.get(entry.row.admission, len(_PLACES))


def _by_name(entry: Entry) -> str:
    entry.place = entry.place or natural_key(entry.row.name)
    return entry.place


_ORDERS: dict[str, Callable[[Entry], Any]] = {
    "state": _state,
    "cpu": lambda entry: entry.vitals.cpu_percent if entry.vitals else -1.0,
    "memory": lambda entry: entry.vitals.memory_percent if entry.vitals else -1.0,
    "running": lambda entry: entry.vitals.running if entry.vitals else -1,
    "since": lambda entry: entry.since.timestamp() if entry.since else 0.0,
}

HOST_COLUMNS = ("name", *_ORDERS)  # that hosts can be sorted by


class Directory:
    """All hosts by host_id; changed only on the manager's loop, after the database was."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_row: dict[int, Entry] = {}
        self._in_order: list[Entry] | None = None
        self._named: list[Entry] | None = None
        self._targets: list[TargetHost] | None = None
        self._online: set[int] = set()  # row ids

    @property
    def online(self) -> int:
        """How many hosts are connected."""
        return len(self._online)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def load(
        self, rows: Iterable[HostRow], monotonic: float, with_work: Collection[str] = ()
    ) -> None:
        """Takes what is stored, all offline from `monotonic` (seconds) on, and puts it in order.

        Args:
            with_work: host_ids of those that have something sent or waiting.
        """
        for row in rows:
            recovering = row.host_id in with_work
            self._add(Entry(row, monotonic, since=row.since, recovering=recovering))
        self._in_name_order()  # which takes longest the first time: nobody has to wait for it then

    def _add(self, entry: Entry) -> None:
        self._entries[entry.row.host_id] = entry
        self._by_row[entry.row.row_id] = entry
        self._in_order = self._named = self._targets = None

    def get(self, host_id: str) -> Entry | None:
        """One host."""
        return self._entries.get(host_id)

    def of_row(self, row_id: int) -> Entry:
        """The host that a row of the database speaks of."""
        return self._by_row[row_id]

    def opened(self, row: HostRow, session: LiveSession, now: datetime) -> None:
        """A session has begun, and `row` is what is stored of its host since."""
        entry = self._entries.get(row.host_id)
        if entry is None:
            entry = Entry(row, silent_since=session.heard_at)
            self._add(entry)
        self._take(entry, row)
        if entry.session is None:
            entry.since = now
        entry.session = session
        self._online.add(row.row_id)
        entry.judged = entry.recovering = False

    def put(self, row: HostRow, now: datetime, monotonic: float) -> None:
        """`row` is what is stored of a host now; one that was not here yet is offline.

        Args:
            monotonic: seconds.
        """
        entry = self._entries.get(row.host_id)
        if entry is None:
            self._add(Entry(row, monotonic, since=now))
            return
        self._take(entry, row)

    def _take(self, entry: Entry, row: HostRow) -> None:
        """What is stored of a host, which may have to stand elsewhere in the list now."""
        before, entry.row = entry.row, row
        if before.name != row.name:
            entry.place = ""
        if (before.name, before.admission) != (row.name, row.admission):
            self._in_order = self._named = self._targets = None
        if before.labels != row.labels:
            self._targets = None
        entry.searched = None

    def closed(self, host_id: str, generation: int, now: datetime, monotonic: float) -> bool:
        """A session has ended; False when a newer one had taken its place already. Its host is
        silent since it was heard last, which may be a few heartbeats ago."""
        entry = self._entries.get(host_id)
        if entry is None or entry.session is None or entry.session.generation != generation:
            return False
        entry.silent_since = monotonic if entry.session.busy else entry.session.heard_at
        entry.session, entry.vitals, entry.since, entry.judged = None, None, now, False
        self._online.discard(entry.row.row_id)
        entry.cpu.clear()
        return True

    def runs(self, host_id: str, started: Iterable[str], ended: Iterable[str]) -> bool:
        """Executions have started and ended on a host; whether another number runs there now.

        Vitals tell a number too, but not of when: they may have passed what tells of a start or an
        end, or come with it.
        """
        entry = self._entries.get(host_id)
        if entry is None or entry.session is None:
            return False
        runs = entry.session.runs
        before = len(runs)
        runs.update(started)
        runs.difference_update(ended)
        if entry.vitals and len(runs) != entry.vitals.running:
            entry.vitals = replace(entry.vitals, running=len(runs))
        return len(runs) != before

    def targets(self) -> list[TargetHost]:
        """What a target may resolve to now, in natural order."""
        if self._targets is None:
            rows = (entry.row for entry in self._in_name_order())
            self._targets = [
                TargetHost(row.host_id, row.name, row.labels)
                for row in rows
                if row.admission is Admission.ADMITTED
            ]
        return self._targets

    def online_rows(self) -> frozenset[int]:
        """Row ids of the hosts that are connected now."""
        return frozenset(self._online)

    def counts(self) -> tuple[int, int, int]:
        """How many hosts there are, are online, wait for admission; turned away ones aside."""
        total = online = pending = 0
        for entry in self._entries.values():
            admission = entry.row.admission
            if admission is Admission.ADMITTED or admission is Admission.PENDING:
                total += 1
                online += entry.session is not None
                pending += admission is Admission.PENDING
        return total, online, pending

    def window(self, window: Window) -> Page[Host]:
        """A window of the list: those that wait to be approved, then by name, then those that were
        turned away, unless it says otherwise."""
        entries = self._ordered(window)
        text = window.text.casefold()
        if text or window.faults_only:
            entries = [entry for entry in entries if _passes(entry, text, window.faults_only)]
        shown = entries[window.offset : window.offset + min(window.limit, LIMIT_MAX)]
        return Page([entry.host() for entry in shown], len(entries), len(self._entries))

    def _in_name_order(self) -> list[Entry]:
        if self._named is None:
            self._named = sorted(self._entries.values(), key=_by_name)
        return self._named

    def _ordered(self, window: Window) -> list[Entry]:
        """Nothing that changes all the time decides over places in the lists that are kept."""
        if self._in_order is None:
            self._in_order = sorted(self._in_name_order(), key=_own_order)
        if order := _ORDERS.get(window.sort):
            return sorted(self._in_order, key=order, reverse=window.descending)
        kept = self._in_name_order() if window.sort == "name" else self._in_order
        return kept[::-1] if window.descending else kept


def _passes(entry: Entry, text: str, faults_only: bool) -> bool:
    if faults_only and entry.online and entry.row.admission is Admission.ADMITTED:
        return False
    row = entry.row
    if entry.searched is None:
        labels = (f"{key}={value}" for key, value in row.labels.items())
        entry.searched = "\n".join((row.name, *labels, row.fingerprint)).casefold()
    return (
        text in entry.searched
        or text == row.admission
        or text == ("online" if entry.online else "offline")
    )
