"""HostService: who is a host, who is connected, how they are."""

import contextlib
import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from tui_manager.domain import features
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import RefusedError, StorageError
from tui_manager.domain.host import Host, Vitals
from tui_manager.domain.report import Greeting, Resume
from tui_manager.domain.status import Admission
from tui_manager.domain.window import Page, Window
from tui_manager.security.peer import PeerCertificate
from tui_manager.service.dispatch.dispatch import Dispatch
from tui_manager.service.enrollment import host_notes
from tui_manager.service.hosts.changed_host import note_changes
from tui_manager.service.hosts.directory import Directory, Entry
from tui_manager.service.hosts.heartbeats import Heartbeats
from tui_manager.service.hosts.identification import Identification, ImpostorError
from tui_manager.service.hosts.live_session import LiveSession
from tui_manager.service.hosts.violations import Offences
from tui_manager.service.limits import Limits
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.log_lines import warn_of_each
from tui_manager.service.manager.statistics import Statistics
from tui_manager.service.reports import resume
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import audit, hosts
from tui_manager.storage.tables.hosts import HostRow

log = logging.getLogger(__name__)
_HOSTS = Changes(hosts=True)


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """What a session begins with.

    Attributes:
        generation: a newer session of the same host has a higher one.
        heartbeat: what its agent has to keep to at first.
        resumes: the answers for what the agent holds.
        asked: executions of which the agent must say how they ended.
    """

    host_id: str
    name: str
    admission: Admission
    generation: int
    heartbeat: timedelta
    resumes: tuple[Resume, ...]
    asked: tuple[str, ...]


class HostService:
    """Registers hosts, opens and closes their sessions, keeps their vitals."""

    def __init__(
        self,
        manager_id: str,
        database: Database,
        directory: Directory,
        dispatch: Dispatch,
        feed: ChangeFeed,
        statistics: Statistics,
        clock: Clock,
        limits: Limits,
        offences: Offences,
    ) -> None:
        self._database = database
        self._directory = directory
        self._dispatch = dispatch
        self._feed = feed
        self._statistics = statistics
        self._clock = clock
        self._limits = limits
        self._identification = Identification(manager_id, directory, clock)
        self._heartbeats = Heartbeats(limits.heartbeat, limits.lost_after)
        self.offences = offences

    @property
    def known(self) -> int:
        """How many hosts there are, whether they are here or not."""
        return len(self._directory)

    async def open_session(
        self, greeting: Greeting, identity: PeerCertificate | None
    ) -> OpenedSession:
        """Takes in an agent that said who it is: resumes a known host, registers an insecure one
        that is unknown.

        Args:
            identity: what its certificate says; None: it came without TLS.

        Raises:
            RefusedError: its identity, name or labels stand against it; nothing was stored.
            StorageError: the database cannot be written now.
        """
        try:
            greeting = self._identification.check(greeting, identity)
            with self._arriving(greeting.host_id):
                row, reconciled = await self._database.write(
                    lambda tx: self._open(tx, greeting, identity)
                )
        except RefusedError as error:
            if isinstance(error, ImpostorError):
                self.violation(error.host_id, str(error))
            certified = identity.host_id if identity else ""
            self.offences.refused(greeting.name, greeting.address, error, certified)
            raise
        monotonic, heartbeat = self._clock.monotonic(), self._heartbeats.now
        session = LiveSession(
            row.generation,
            greeting.instance_id,
            monotonic,
            heartbeat,
            runs=reconciled.runs,
            features=features.known(greeting.features),
        )
        session.does_not_know(reconciled.unknown)
        self.offences.refusals.forget(row.name)
        self._directory.opened(row, session, self._clock.now())
        self._heartbeats.count(self._directory.online)
        self._statistics.counters.connects += 1
        self._log_opened(row, reconciled)
        self._feed.publish(Changes(hosts=True, tasks=frozenset(reconciled.tasks)))
        return OpenedSession(
            row.host_id,
            row.name,
            row.admission,
            row.generation,
            heartbeat,
            tuple(reconciled.resumes),
            tuple(reconciled.asked),
        )

    @contextlib.contextmanager
    def _arriving(self, host_id: str) -> Iterator[None]:
        """Nobody judges the silence of a host that is just being welcomed."""
        entry = self._directory.get(host_id)
        if entry is None:
            yield
            return
        entry.arriving += 1
        try:
            yield
        finally:
            entry.arriving -= 1

    def _open(
        self, tx: Transaction, greeting: Greeting, identity: PeerCertificate | None
    ) -> tuple[HostRow, resume.Reconciled]:
        now = self._clock.stamp()
        known = self._identification.who(tx, greeting, identity)
        if known:
            note_changes(tx, known, greeting.name, greeting.machine_id, now)
        host_id = known.host_id if known else _register(tx, greeting.name, now)
        bound = known.bound_labels if known else {}
        row = hosts.open_session(tx, host_id, greeting, now, bound)
        since = self._limits.kept_since(now)
        held = resume.reconcile(tx, row.row_id, greeting.journal_id, greeting.held, now, since)
        return row, held

    def _log_opened(self, row: HostRow, reconciled: resume.Reconciled) -> None:
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
            ("agent has let go of a command that runs", reconciled.let_go),
            ("agent holds an unknown execution", reconciled.unknown),
        ):
            warn_of_each(log, what, row.name, executions)

    def says_otherwise(self, host_id: str, name: str, machine_id: str) -> bool:
        """Whether a known host says something else of itself than before."""
        entry = self._directory.get(host_id)
        return entry is not None and bool(host_notes.of_changes(entry.row, name, machine_id))

    def violation(self, host_id: str, what: str) -> None:
        """A host broke the rules of the wire.

        Args:
            host_id: of the session, or of the certificate that was shown.
            what: a sentence for the operator.
        """
        entry = self._directory.get(host_id)
        self.offences.violated(host_id, entry.row.name if entry else "", what)

    def session_ready(self, host_id: str) -> None:
        """The session takes commands from now on."""
        self._dispatch.kick([host_id])

    async def close_session(self, host_id: str, generation: int, why: str) -> None:
        """A stream has ended. The end of an old session never touches a newer one."""
        now = self._clock.now()
        if not self._directory.closed(host_id, generation, now, self._clock.monotonic()):
            return
        self._heartbeats.count(self._directory.online)
        entry = self._directory.get(host_id)
        name = entry.row.name if entry else host_id
        log.info("agent disconnected", extra={"host": name, "session": generation, "reason": why})
        self._feed.publish(Changes(hosts=True))
        stamp = self._clock.stamp()
        try:
            await self._database.write(
                lambda tx: hosts.close_session(tx, host_id, generation, stamp)
            )
        except StorageError as error:  # the next session says it anew
            log.warning("end of a session not stored", extra={"host": name, "error": str(error)})

    def heard(self, host_id: str, generation: int) -> None:
        """Something came from this session just now."""
        entry = self._directory.get(host_id)
        if entry and entry.session and entry.session.generation == generation:
            entry.session.heard_at = self._clock.monotonic()

    def does_not_know(self, host_id: str, generation: int, execution_ids: Iterable[str]) -> None:
        """The agent of this session reported executions that the database does not know."""
        entry = self._directory.get(host_id)
        if entry and entry.session and entry.session.generation == generation:
            entry.session.does_not_know(execution_ids)

    @contextlib.contextmanager
    def busy_with(self, host_id: str, generation: int) -> Iterator[None]:
        """As long as the manager is not done with what a session said, it listens to nothing, and
        the session is not silent."""
        entry = self._directory.get(host_id)
        session = entry.session if entry else None
        if session is None or session.generation != generation:
            yield
            return
        session.busy = True
        try:
            yield
        finally:
            session.busy = False
            session.heard_at = self._clock.monotonic()

    def beat(self, host_id: str, generation: int, vitals: Vitals) -> timedelta | None:
        """Keeps the newest measurements of a host, in memory only.

        Returns:
            Another heartbeat that its agent has to be told now; None: it keeps to the right one.
            Told with their own beats, agents are told at no higher rate than they beat.
        """
        entry = self._directory.get(host_id)
        session = entry.session if entry else None
        if entry is None or session is None or session.generation != generation:
            return None
        entry.vitals = replace(vitals, running=len(session.runs))
        entry.cpu.append(vitals.cpu_percent)
        self._feed.publish_figures(_HOSTS)
        heartbeat = self._heartbeats.now
        if session.heartbeat == heartbeat:
            return None
        session.tell(heartbeat, self._clock.monotonic())
        return heartbeat

    def silent_sessions(self) -> list[tuple[str, int]]:
        """(host_id, generation) of sessions from which nothing came for too long."""
        monotonic = self._clock.monotonic()
        return [
            (entry.row.host_id, entry.session.generation)
            for entry in self._directory
            if entry.session and entry.session.is_silent(monotonic)
        ]

    def list_hosts(self, window: Window) -> Page[Host]:
        """Hosts by name, or as the window says."""
        return self._directory.window(window)

    def get(self, host_id: str) -> Entry | None:
        """One host, with its session."""
        return self._directory.get(host_id)


def _register(tx: Transaction, name: str, now: int) -> str:
    """Adds a host that came without TLS and was never seen; returns its host_id."""
    host_id = str(uuid.uuid4())
    hosts.insert(tx, host_id, name, Admission.ADMITTED, now)
    audit.record(tx, now, "manager", "admit_host", host_id=host_id, host=name, by="insecure")
    return host_id
