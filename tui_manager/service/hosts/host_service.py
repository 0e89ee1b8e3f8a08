"""HostService: sessions of agents open and close, vitals come in, hosts are listed."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import RefusedError, StorageError
from tui_manager.domain.hosts import agent_features
from tui_manager.domain.hosts.agent_messages import AgentHello, Resume
from tui_manager.domain.hosts.facts import PackedFacts
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.security.certificates.client_certificate import PeerCertificate
from tui_manager.service.core.audit_and_log_limits import warn_of_each
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.core import Core
from tui_manager.service.core.heartbeat import FleetHeartbeat, SessionHeartbeat
from tui_manager.service.core.hosts.host_entry import LiveSession
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.hosts import approval_notes
from tui_manager.service.hosts.authenticate_host import HostAuthenticator, ImpostorError
from tui_manager.service.reports import reconcile_executions
from tui_manager.storage.engine.metric_counters import Act
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.manager import audit

log = logging.getLogger(__name__)
_HOSTS = Changes(hosts=True)
_RETRY = 1.0  # seconds until facts are stored again if the database cannot be written


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """What a session begins with.

    Attributes:
        generation: a newer session of the same host has a higher one.
        heartbeat: what its agent is told first.
        resumes: the answers for the executions that the agent holds.
        missing: executions that the agent does not hold; it must say how they ended.
    """

    host_id: str
    name: str
    admission: Admission
    generation: int
    heartbeat: timedelta
    resumes: tuple[Resume, ...]
    missing: tuple[str, ...]


class HostService:
    """Opens and closes sessions, registers hosts that come without TLS, keeps vitals."""

    def __init__(self, core: Core, dispatch: DispatchLoop) -> None:
        self._core = core
        self._directory = core.directory
        self._dispatch = dispatch
        self._authenticator = HostAuthenticator(core.manager_id, core.directory, core.clock)
        self._heartbeat = FleetHeartbeat(core.limits.heartbeat, core.limits.lost_after)
        self._waiting = 0
        self._violations = core.violations
        self._ends: dict[str, tuple[int, int]] = {}  # see `store_ends`
        self._has_ends = asyncio.Event()

    @property
    def count(self) -> int:
        """How many hosts there are, connected or not."""
        return len(self._directory)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within the block, an agent that has said Hello waits for its session, and counts for the
        heartbeat. So if thousands come at one time, the first ones are already told the heartbeat
        for all of them. When some are refused or leave, the others are told a shorter one again."""
        self._waiting += 1
        self._update_heartbeat()
        try:
            yield
        finally:
            self._waiting -= 1
            self._update_heartbeat()

    def _update_heartbeat(self) -> None:
        self._heartbeat.update(self._directory.connected + self._waiting)

    async def open_session(
        self, greeting: AgentHello, identity: PeerCertificate | None
    ) -> OpenedSession:
        """Opens a session for an agent that has said who it is. Registers the host if it is new
        and came without TLS.

        Args:
            identity: what its certificate says; None: it came without TLS.

        Raises:
            RefusedError: its identity, name or labels are not acceptable; nothing was stored.
            StorageError: the database cannot be written now.
        """
        try:
            greeting = self._authenticator.check(greeting, identity)
            with self._opening(greeting.host_id):
                row, reconciled = await self._core.database.write(
                    lambda tx: self._open(tx, greeting, identity)
                )
        except RefusedError as error:
            if isinstance(error, ImpostorError):
                self.record_violation(error.host_id, str(error))
            certified = identity.host_id if identity else ""
            self._violations.record_refusal(greeting.name, greeting.address, error, certified)
            raise
        heartbeat = self._heartbeat.current
        self._add_session(greeting, row, reconciled, heartbeat)
        self._core.statistics.count(Act.SESSION_OPENED)
        _log_opened(row, reconciled)
        self._core.feed.publish(Changes(hosts=True, tasks=frozenset(reconciled.tasks)))
        return OpenedSession(
            row.host_id,
            row.name,
            row.admission,
            row.generation,
            heartbeat,
            tuple(reconciled.resumes),
            tuple(reconciled.missing),
        )

    @contextlib.contextmanager
    def _opening(self, host_id: str) -> Iterator[None]:
        """Within the block, the host does not count as silent."""
        entry = self._directory.get(host_id)
        if entry is None:
            yield
            return
        entry.opening += 1
        try:
            yield
        finally:
            entry.opening -= 1

    def _open(
        self, tx: Transaction, greeting: AgentHello, identity: PeerCertificate | None
    ) -> tuple[HostRow, reconcile_executions.Reconciliation]:
        now = self._core.clock.stamp()
        known = self._authenticator.identify(tx, greeting, identity)
        if known:
            greeting = replace(greeting, name=known.name_with(greeting.name))
            approval_notes.record_changes(tx, known, greeting.name, greeting.machine_id, now)
        host_id = known.host_id if known else _register(tx, greeting.name, now)
        fixed = known.fixed_labels if known else {}
        row = hosts.open_session(tx, host_id, greeting, now, fixed, self._core.database.gateway)
        since = self._core.limits.kept_since(now)
        reconciled = reconcile_executions.reconcile(
            tx, row.row_id, greeting.journal_id, greeting.held, now, since
        )
        return row, reconciled

    def _add_session(
        self,
        greeting: AgentHello,
        row: HostRow,
        reconciled: reconcile_executions.Reconciliation,
        heartbeat: timedelta,
    ) -> None:
        session = LiveSession(
            row.generation,
            greeting.instance_id,
            self._core.clock.monotonic(),
            SessionHeartbeat(heartbeat),
            running=reconciled.running,
            features=agent_features.known(greeting.features),
        )
        session.add_unknown(reconciled.unknown)
        for name in (greeting.name, row.name):  # its agent may call itself otherwise
            self._violations.recent_refusals.forget(name)
        self._directory.open_session(row, session, self._core.clock.now())
        self._update_heartbeat()
        self._core.requests.opened(row.row_id)

    def has_changed(self, host_id: str, name: str, machine_id: str) -> bool:
        """Whether a known host comes with another name or from another machine than before."""
        entry = self._directory.get(host_id)
        return entry is not None and bool(
            approval_notes.describe_changes(entry.row, name, machine_id)
        )

    def record_violation(self, host_id: str, what: str) -> None:
        """A host broke the rules of the wire.

        Args:
            host_id: of the session, or of the certificate that was shown.
            what: a sentence for the operator.
        """
        entry = self._directory.get(host_id)
        self._violations.record_violation(host_id, entry.row.name if entry else "", what)

    def session_ready(self, host_id: str) -> None:
        """The session takes commands from now on."""
        self._dispatch.wake([host_id])

    async def close_session(
        self, host_id: str, generation: int, why: str, end: SessionEnd = SessionEnd.BROKEN
    ) -> None:
        """A stream has ended. The end of an old session never touches a newer one.

        Args:
            why: for the log.
        """
        self._core.statistics.count(Act.SESSION_ENDED, end)
        clock, session = self._core.clock, self._session(host_id, generation)
        if not self._directory.close_session(host_id, generation, clock.now(), clock.monotonic()):
            return
        self._update_heartbeat()
        entry = self._directory.get(host_id)
        if entry and session and session.will_come_back:
            self._directory.expect([entry.row.row_id], clock.monotonic())
        name = entry.row.name if entry else host_id
        log.info("agent disconnected", extra={"host": name, "session": generation, "reason": why})
        self._core.feed.publish(_HOSTS)
        stamp, stops = clock.stamp(), self._dispatch.closed
        try:
            await self._core.database.write(
                lambda tx: hosts.close_session(tx, host_id, generation, stamp, stops=stops)
            )
        except StorageError as error:
            log.warning("end of a session not stored", extra={"host": name, "error": str(error)})
            if not stops:
                self._ends[host_id] = generation, stamp
                self._has_ends.set()
        else:
            self._publish_stored()

    def _publish_stored(self) -> None:
        """Tells the watchers of other managers, who read the database, that a change is stored
        there. The watchers of this manager know it already."""
        if self._core.requests.wanted:
            self._core.feed.publish(_HOSTS)

    async def store_ends(self) -> None:
        """Stores the ends of sessions that could not be stored when they came, until cancelled:
        other managers know only by the database that a host is offline."""
        while True:
            await self._has_ends.wait()
            await asyncio.sleep(_RETRY)
            ends = dict(self._ends)
            if not await self._store_ends(ends):
                continue
            self._ends = {host: end for host, end in self._ends.items() if ends.get(host) != end}
            if not self._ends:
                self._has_ends.clear()

    async def _store_ends(self, ends: Mapping[str, tuple[int, int]]) -> bool:
        try:
            await self._core.database.write(lambda tx: _close_sessions(tx, ends))
        except StorageError:
            return False
        self._publish_stored()
        return True

    def _session(self, host_id: str, generation: int) -> LiveSession | None:
        entry = self._directory.get(host_id)
        return entry.session_of(generation) if entry else None

    def note_contact(self, host_id: str, generation: int) -> None:
        """A message has just come from this session."""
        if session := self._session(host_id, generation):
            session.heard_at = self._core.clock.monotonic()

    def add_unknown(self, host_id: str, generation: int, execution_ids: Iterable[str]) -> None:
        """The agent of this session reported executions that the database does not know."""
        if session := self._session(host_id, generation):
            session.add_unknown(execution_ids)

    def busy_with(self, host_id: str, generation: int) -> contextlib.AbstractContextManager[None]:
        """While the manager stores what a session said, it reads no more of it, and so the session
        does not count as silent."""
        session = self._session(host_id, generation)
        return _Busy(session, self._core.clock) if session else contextlib.nullcontext()

    def record_vitals(self, host_id: str, generation: int, vitals: Vitals) -> timedelta | None:
        """Keeps the newest vitals of a host, in memory only.

        Returns:
            Another heartbeat that the agent has to be told now; None: it has the right one. An
            agent is told only when it beats, which limits the rate.
        """
        entry = self._directory.get(host_id)
        session = entry.session_of(generation) if entry else None
        if entry is None or session is None:
            return None
        entry.record_vitals(
            replace(vitals, running=len(session.running)), self._core.clock.monotonic()
        )
        self._core.feed.publish_figures(_HOSTS)
        heartbeat = self._heartbeat.current
        if session.heartbeat.interval == heartbeat:
            return None
        session.heartbeat.change(heartbeat, self._core.clock.monotonic())
        return heartbeat

    async def record_facts(self, host_id: str, generation: int, facts: PackedFacts) -> None:
        """Stores the facts of a host if one has changed, and waits while that is impossible: its
        agent does not tell them again."""
        entry = self._directory.get(host_id)
        if entry is None or entry.session_of(generation) is None or entry.row.facts == facts:
            return
        clock = self._core.clock
        stamp = clock.stamp()
        while True:
            try:
                row = await self._core.database.write(
                    lambda tx: hosts.store_facts(tx, host_id, generation, facts, stamp)
                )
                break
            except StorageError:
                await asyncio.sleep(_RETRY)
        if row is not None:
            self._directory.put(row, clock.now(), clock.monotonic())
            self._core.feed.publish(_HOSTS)

    def silent_sessions(self) -> list[tuple[str, int]]:
        """(host_id, generation) of sessions from which nothing came for too long."""
        monotonic = self._core.clock.monotonic()
        return [
            (entry.row.host_id, entry.session.generation)
            for entry in self._directory
            if entry.session and entry.session.is_silent(monotonic)
        ]


class _Busy:
    """See `busy_with`. A class, because a generator costs more, and each report has one."""

    __slots__ = ("_clock", "_session")

    def __init__(self, session: LiveSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def __enter__(self) -> None:
        self._session.busy = True

    def __exit__(self, *_: object) -> None:
        self._session.busy = False
        self._session.heard_at = self._clock.monotonic()


def _log_opened(row: HostRow, reconciled: reconcile_executions.Reconciliation) -> None:
    log.info(
        "agent connected",
        extra={
            "host": row.name,
            "host_id": row.host_id,
            "address": row.address,
            "session": row.generation,
            "held": len(reconciled.resumes),
        },
    )
    for what, executions in (
        ("agent state lost", reconciled.state_lost),
        ("command is sent again", reconciled.sent_again),
        ("agent has forgotten a command that runs", reconciled.forgotten),
        ("agent holds an unknown execution", reconciled.unknown),
    ):
        warn_of_each(log, what, row.name, executions)


def _close_sessions(tx: Transaction, ends: Mapping[str, tuple[int, int]]) -> None:
    for host_id, (generation, stamp) in ends.items():
        hosts.close_session(tx, host_id, generation, stamp)


def _register(tx: Transaction, name: str, now: int) -> str:
    """Adds a host that is new and came without TLS; returns its host_id."""
    host_id = str(uuid.uuid4())
    hosts.insert(tx, host_id, name, Admission.ADMITTED, now)
    audit.record(tx, now, "manager", "admit_host", host_id=host_id, host=name, by="insecure")
    return host_id
