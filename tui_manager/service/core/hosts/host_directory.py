"""All hosts in memory: what is stored of each, who is connected, and the newest vitals."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from datetime import datetime

from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.status import Admission, CommandHostStatus, best_admission
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.service.core.hosts.expected_hosts import ExpectedHosts
from tui_manager.service.core.hosts.host_entry import HostEntry, LiveSession, SessionElsewhere
from tui_manager.service.core.hosts.host_groups import HostGroups, group_hosts
from tui_manager.service.core.hosts.sorted_hosts import SortedHosts
from tui_manager.service.limits import RETURN_TIMEOUT
from tui_manager.storage.tables.hosts.hosts import HostRow

NOBODY: Mapping[int, int] = {}


class Directory:
    """All hosts by host_id. Changed only on the manager's loop, after the database has changed.

    Attributes:
        gateway: the number of this manager.
        alive: the numbers of the other managers that are alive. Hosts that are connected to these
            are online.
        seen: what of the database is known here; see `hosts.changed_since`.
        changes: grows with each change of a host: of what is stored of it, or of its connection.
        sorted: the same hosts in order, and windows of lists.
        expected: those that are offline and may soon come back.
    """

    def __init__(self, gateway: int = 0, runs: Mapping[int, int] = NOBODY) -> None:
        """
        Args:
            runs: how often each of the other managers has started that are alive, by its number.
        """
        self.gateway = gateway
        self.alive = frozenset(runs)
        self._runs = dict(runs)  # also of those that were alive before
        self.seen = 0
        self.changes = 0
        self._entries: dict[str, HostEntry] = {}
        self._by_row_id: dict[int, HostEntry] = {}
        self.sorted = SortedHosts(self._entries)
        self._groups = HostGroups()
        self._grouped_at = -1  # by `changes`
        self.expected = ExpectedHosts()
        self._online: set[int] = set()  # row ids
        self._online_ids: set[str] = set()  # the same by host_id
        self._here: set[int] = set()  # those of them that are connected to this manager
        self._moved: set[int] = set()  # row ids, see `take_moved`
        self._own: set[int] = set()  # row ids, see `take_own`

    @property
    def connected(self) -> int:
        """How many hosts are connected to this manager."""
        return len(self._here)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[HostEntry]:
        return iter(self._entries.values())

    @property
    def groups(self) -> HostGroups:
        """The hosts by what the status says of them; they are grouped again after a change."""
        if self._grouped_at != self.changes:
            self._groups, self._grouped_at = group_hosts(self), self.changes
        return self._groups

    def load(
        self, rows: Iterable[HostRow], monotonic: float, with_work: Collection[str] = ()
    ) -> None:
        """Adds the stored hosts, and sorts them. Those that are not connected to another manager
        are offline since `monotonic` (seconds); if they were connected to this one when it stopped,
        or to one that is not alive, they are expected for a while.

        Args:
            with_work: host_ids of hosts with commands that were sent or wait.
        """
        for row in rows:
            entry = HostEntry(row, monotonic, since=row.since)
            self._add(entry)
            self._follow_connection(entry, monotonic)
            entry.recovering = not entry.online and row.host_id in with_work
            if row.online and not entry.online:
                self.expected.add(entry, monotonic)
        self.sorted.by_name()  # now, as the first time takes longest

    def _add(self, entry: HostEntry) -> None:
        self._entries[entry.row.host_id] = entry
        self._by_row_id[entry.row.row_id] = entry
        self.changes += 1
        self.sorted.forget()

    def get(self, host_id: str) -> HostEntry | None:
        """One host."""
        return self._entries.get(host_id)

    def find_row(self, row_id: int) -> HostEntry | None:
        """The host with this row in the database; None: it has enrolled with another manager just
        now."""
        return self._by_row_id.get(row_id)

    def open_session(self, row: HostRow, session: LiveSession, now: datetime) -> None:
        """A session has begun; `row` is what is stored of its host now."""
        entry = self._entries.get(row.host_id)
        if entry is None:
            entry = HostEntry(row, silent_since=session.heard_at)
            self._add(entry)
        self._replace_row(entry, row)
        self._own.add(row.row_id)
        if not entry.online:
            entry.since = now
        entry.session, entry.elsewhere = session, None
        self._here.add(row.row_id)
        self._mark_online(entry)

    def _mark_online(self, entry: HostEntry) -> None:
        self._online.add(entry.row.row_id)
        self._online_ids.add(entry.row.host_id)
        self._moved.add(entry.row.row_id)
        entry.declared_lost = entry.recovering = False
        entry.expected_until = 0.0
        self.changes += 1

    def _mark_offline(self, entry: HostEntry, since: datetime | None, silent_since: float) -> None:
        entry.session = entry.elsewhere = entry.vitals = None
        entry.since, entry.silent_since, entry.declared_lost = since, silent_since, False
        self._online.discard(entry.row.row_id)
        self._online_ids.discard(entry.row.host_id)
        self._here.discard(entry.row.row_id)
        self._moved.add(entry.row.row_id)
        self.changes += 1
        entry.cpu = ()

    def put(self, row: HostRow, now: datetime, monotonic: float) -> None:
        """`row` is what this manager has stored of a host. A new host is offline.

        Args:
            monotonic: seconds.
        """
        self._own.add(row.row_id)
        self._put(row, now, monotonic)

    def _put(self, row: HostRow, now: datetime, monotonic: float) -> None:
        entry = self._entries.get(row.host_id)
        if entry is None:
            entry = HostEntry(row, monotonic, since=now)
            self._add(entry)
        elif row.generation < entry.row.generation:
            return  # it was read before the newest session began
        else:
            self._replace_row(entry, row)
        self._follow_connection(entry, monotonic)

    def follow(self, row: HostRow, now: datetime, monotonic: float) -> LiveSession | None:
        """Takes over a row that was read because another manager may have changed it.

        Returns:
            The session of the host here, if a newer one elsewhere has replaced it; the caller ends
            its stream. None: there was none, or it is the newest.
        """
        entry = self._entries.get(row.host_id)
        if entry is None:
            self._put(row, now, monotonic)
            return None
        session, before = entry.session, entry.row.generation
        is_elsewhere = row.gateway != self.gateway
        ended = (
            session if session and is_elsewhere and row.generation > session.generation else None
        )
        if ended:
            self._mark_offline(entry, now, ended.heard_at)
        self._put(row, now, monotonic)
        if is_elsewhere and row.generation > before:
            self._moved.add(row.row_id)  # also if it was online elsewhere before
            if not entry.online:
                self._restart_silence(entry, monotonic)
        return ended

    def restore(self, row: HostRow, now: datetime, monotonic: float) -> LiveSession | None:
        """Takes over a row of a database that may have gone back in time; returns as `follow`. The
        row also replaces a newer one, unless this manager has stored the host meanwhile."""
        entry = self._entries.get(row.host_id)
        if entry is None or row.row_id in self._own:
            return self.follow(row, now, monotonic)
        session, is_here = entry.session, row.gateway == self.gateway
        if session and is_here and row.generation >= session.generation:
            return self.follow(row, now, monotonic)  # a newer one is being opened
        has_changed = (row.gateway, row.generation) != (entry.row.gateway, entry.row.generation)
        if entry.online and (session or has_changed):
            self._mark_offline(entry, now, session.heard_at if session else monotonic)
        self._replace_row(entry, row)
        self._follow_connection(entry, monotonic)
        if row.online and has_changed and not entry.online:
            self.expected.add(entry, monotonic)
        return session

    def _restart_silence(self, entry: HostEntry, monotonic: float) -> None:
        """Counts the silence of a host from now on, because it was connected to another manager
        meanwhile. If that manager is not known, or has died just now, the host is expected."""
        entry.silent_since, entry.declared_lost = monotonic, False
        self.changes += 1
        if entry.row.online:
            self.expected.add(entry, monotonic)

    def follow_gateways(
        self,
        others: Iterable[Gateway],
        heard_at: Mapping[int, float],
        now: datetime,
        monotonic: float,
    ) -> None:
        """Other managers have come, stopped, died or started again. Hosts of those that are gone,
        and those that were connected before the start, are offline, and expected for a while.

        Args:
            heard_at: when the others were heard last, monotonic seconds, by their numbers. The
                silence of their hosts counts from then.
        """
        present = {one.number: one for one in others if one.alive}
        gone, self.alive = self.alive.difference(present), frozenset(present)
        for number, one in present.items():
            if one.runs > self._runs.get(number, one.runs):
                gone |= {number}
            self._runs[number] = one.runs
        limit = monotonic - RETURN_TIMEOUT
        for entry in self:
            gateway, was_online = entry.row.gateway, entry.online
            self._follow_connection(entry, monotonic)
            if gateway not in gone or entry.online:
                continue
            if was_online:
                again = present.get(gateway)
                entry.since = (again and again.started_at) or now
                entry.silent_since = min(monotonic, heard_at.get(gateway, monotonic))
                self.changes += 1
            if entry.silent_since > limit:  # perhaps the leader has found it a moment ago
                self.expected.add(entry, monotonic)

    def is_elsewhere(self, row: HostRow) -> bool:
        """Whether by this row the host is connected to another manager that is alive, and has not
        started again since."""
        run = self._runs.get(row.gateway, 0)
        return row.online and row.gateway in self.alive and row.gateway_run >= run

    def _follow_connection(self, entry: HostEntry, monotonic: float) -> None:
        """Finds out by the row whether a host that is not connected here is connected elsewhere."""
        row = entry.row
        if entry.session is not None or row.gateway == self.gateway:
            return
        if self.is_elsewhere(row):
            if entry.elsewhere is None:
                entry.elsewhere = SessionElsewhere()
                self._mark_online(entry)
        elif entry.elsewhere is not None:
            self._mark_offline(entry, row.since, monotonic)
        if entry.since != row.since:
            entry.since = row.since
            self.changes += 1

    def take_vitals(
        self, gateway: int, told: Mapping[int, tuple[Vitals, SessionElsewhere]], monotonic: float
    ) -> bool:
        """Takes the vitals that another manager tells of its hosts, by their row ids. Returns
        whether any of them was new."""
        news = False
        for row_id, (vitals, session) in told.items():
            entry = self._by_row_id.get(row_id)
            if entry is None or entry.elsewhere is None or entry.row.gateway != gateway:
                continue
            session.running = entry.elsewhere.running
            entry.elsewhere = session
            entry.record_vitals(replace(vitals, running=session.running), monotonic)
            news = True
        return news

    def take_running(self, running: Mapping[int, int]) -> bool:
        """Takes the numbers of commands that run on hosts elsewhere, by their row ids; 0 for hosts
        that are not named. Returns whether a number has changed."""
        news = False
        for row_id in self._online - self._here:
            entry, count = self._by_row_id[row_id], running.get(row_id, 0)
            if entry.elsewhere is None or entry.elsewhere.running == count:
                continue
            entry.elsewhere.running, news = count, True
            if entry.vitals:
                entry.vitals = replace(entry.vitals, running=count)
        return news

    def remove(self, host_id: str) -> None:
        """A host was removed. It is still found by its row, which may have been read from the
        database before."""
        entry = self._entries.pop(host_id)
        self.changes += 1
        if entry.online:
            self._mark_offline(entry, entry.since, entry.silent_since)
        self.sorted.forget()

    def _replace_row(self, entry: HostEntry, row: HostRow) -> None:
        """Takes the new row, after which the host may have another place in the lists."""
        before, entry.row = entry.row, row
        if before == row:
            return
        self.changes += 1
        if before.name != row.name:
            entry.sort_key = ""
        if (before.name, before.admission) != (row.name, row.admission):
            self.sorted.forget()
        if (before.labels, before.maintenance, before.facts, before.agent) != (
            row.labels,
            row.maintenance,
            row.facts,
            row.agent,
        ):
            self.sorted.forget_targets()
        entry.search_text = entry.kept_variables = entry.kept_target = None

    def close_session(self, host_id: str, generation: int, now: datetime, monotonic: float) -> bool:
        """A session has ended; False if a newer one has already replaced it. The host is silent
        since it was heard last, which may be some heartbeats ago."""
        entry = self._entries.get(host_id)
        session = entry.session_of(generation) if entry else None
        if entry is None or session is None:
            return False
        self._mark_offline(entry, now, monotonic if session.busy else session.heard_at)
        return True

    def update_running(self, host_id: str, started: Iterable[str], ended: Iterable[str]) -> bool:
        """Executions have started and ended on a host. Returns whether their number has changed.

        The number in the vitals is not used: vitals may arrive before or after the reports of the
        same starts and ends.
        """
        entry = self._entries.get(host_id)
        if entry is None or entry.session is None:
            return False
        running, ended = entry.session.running, list(ended)
        before = len(running)
        running.update(started)
        running.difference_update(ended)
        if entry.session.transfers:
            for execution_id in ended:
                entry.session.transfers.pop(execution_id, None)
        if entry.vitals and len(running) != entry.vitals.running:
            entry.vitals = replace(entry.vitals, running=len(running))
        return len(running) != before

    def admission_of(self, name: str) -> Admission | None:
        """The admission of the host with this name; None: there is none. See `best_admission`."""
        return best_admission({entry.row.admission for entry in self if entry.row.name == name})

    @property
    def online_ids(self) -> Set[str]:
        """The host_ids of the hosts that are connected now, here or elsewhere; it changes with the
        directory."""
        return self._online_ids

    def is_online(self, host_id: str) -> bool:
        """Whether a host is connected now, here or elsewhere."""
        return host_id in self._online_ids

    def without_wait_if_online(self, row: CommandHost) -> CommandHost:
        """A command of a host that is connected does not wait for the connection."""
        if row.waits_until is None or not self.is_online(row.host_id):
            return row
        return replace(row, waits_until=None)

    def with_progress(self, row: CommandHost) -> CommandHost:
        """A copy or a fetch that runs, with what it has done until now."""
        if row.status is not CommandHostStatus.RUNNING:
            return row
        entry = self._entries.get(row.host_id)
        found = entry.transfers.get(row.execution_id) if entry else None
        return replace(row, transfer=found.progress) if found else row

    def running_transfers(self) -> dict[int, dict[str, Transfer]]:
        """The copies and fetches that run and how far they are: by task and execution."""
        found: dict[int, dict[str, Transfer]] = {}
        for row_id in self._online:
            for execution_id, one in self._by_row_id[row_id].transfers.items():
                found.setdefault(one.task_id, {})[execution_id] = one.progress
        return found

    def offline_rows(self) -> frozenset[int]:
        """Row ids of the hosts that are not connected now."""
        return frozenset(self._by_row_id.keys() - self._online)

    def online_entries(self) -> Iterator[HostEntry]:
        """The hosts that are connected, here or to another manager, in no order."""
        return map(self._by_row_id.__getitem__, self._online)

    def online_rows(self) -> frozenset[int]:
        """Row ids of the hosts that are connected now."""
        return frozenset(self._online)

    def rows_here(self) -> frozenset[int]:
        """Row ids of the hosts that are connected to this manager."""
        return frozenset(self._here)

    def take_moved(self) -> set[int]:
        """Row ids of the hosts of which a session has begun or ended since the last call, also if
        the same is connected as before."""
        moved, self._moved = self._moved, set()
        return moved

    def take_own(self) -> set[int]:
        """Row ids of the hosts that this manager has stored since the last call. The caller reads
        them again: a newer row may have been read before a stored one came here."""
        own, self._own = self._own, set()
        return own

    def give_back_own(self, own: set[int]) -> None:
        """Keeps hosts of `take_own` for the next call, because they were not read again."""
        self._own |= own

    def reachable_rows(self, monotonic: float) -> frozenset[int]:
        """Row ids of the hosts that are connected, or are expected."""
        return self.online_rows() | self.expected.seconds_left(monotonic).keys()

    def expect(self, rows: Iterable[int], monotonic: float) -> None:
        """Expects these hosts for a while: they lose their connection, or have lost it, although
        nothing is wrong with them.

        Args:
            rows: row ids.
            monotonic: seconds.
        """
        for row in rows:
            self.expected.add(self._by_row_id[row], monotonic)
