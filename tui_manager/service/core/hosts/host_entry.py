"""One host in memory, and its session."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.host_variables import variables_of_host

from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.hosts.facts import agent_facts
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import CPU_READINGS, Vitals
from tui_manager.domain.targets.target_matching import TargetHost
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.service.core.heartbeat import SessionHeartbeat
from tui_manager.service.core.hosts.vitals_history import VitalsHistory
from tui_manager.storage.tables.hosts.hosts import HostRow

UNKNOWN_MAX = 1000  # executions of one session


@dataclass(frozen=True, slots=True)
class RunningTransfer:
    """A copy or a fetch that runs.

    Attributes:
        progress: what it has done until now.
    """

    task_id: int
    progress: Transfer


@dataclass(slots=True)
class LiveSession:
    """The newest session of a host. Every agent has one: `unknown` and `updating`, which are rarely
    used, take no memory while they are empty.

    Attributes:
        instance_id: new with each start of the agent.
        heard_at: when something came last; monotonic seconds.
        busy: what it said last is still being stored.
        unknown: executions that the agent holds and the database does not know; at most
            `UNKNOWN_MAX` are remembered.
        running: executions that run on its host, by what its agent has said.
        features: what its agent can do.
        transfers: copies, fetches and updates that run on its host, by execution.
        updating: executions that replace its agent by another version.
        sent: when commands were sent that have not begun yet, by execution; monotonic seconds.
    """

    generation: int
    instance_id: str
    heard_at: float
    heartbeat: SessionHeartbeat
    busy: bool = False
    unknown: frozenset[str] = frozenset()
    running: set[str] = field(default_factory=set)
    features: frozenset[Feature] = frozenset()
    transfers: dict[str, RunningTransfer] = field(default_factory=dict)
    updating: frozenset[str] = frozenset()
    sent: dict[str, float] = field(default_factory=dict)

    @property
    def will_come_back(self) -> bool:
        """Whether its agent is about to be replaced: it ends, and another version comes at once."""
        return not self.updating.isdisjoint(self.running)

    def is_alive(self, monotonic: float) -> bool:
        """Whether its agent is surely there."""
        return self.busy or self.heartbeat.is_alive(self.heard_at, monotonic)

    def is_silent(self, monotonic: float) -> bool:
        """Whether its agent is surely gone."""
        return not self.busy and self.heartbeat.is_silent(self.heard_at, monotonic)

    def add_unknown(self, execution_ids: Iterable[str]) -> None:
        """Remembers executions that the database does not know."""
        room = UNKNOWN_MAX - len(self.unknown)
        self.unknown = self.unknown.union(itertools.islice(execution_ids, room))


@dataclass(slots=True)
class SessionElsewhere:
    """The newest session of a host that is connected to another manager, which is alive.

    Attributes:
        features: what its agent can do, as that manager told last.
        unknown: how many executions the agent holds that the database does not know.
        running: how many run there, by what is stored. Vitals may be older than that.
        transfers: copies and fetches that run there, by execution, as that manager told last.
    """

    features: frozenset[Feature] = frozenset()
    unknown: int = 0
    running: int = 0
    transfers: Mapping[str, RunningTransfer] = field(default_factory=dict)


@dataclass(slots=True)
class HostEntry:
    """One host.

    Attributes:
        row: what is stored of it.
        session: of this manager.
        elsewhere: its session, if another manager has it.
        vitals: of a host that is connected elsewhere they are some seconds old.
        cpu: the newest readings since it came online, at most `CPU_READINGS`, the oldest first.
        silent_since: when it was heard last, or when the manager started; monotonic seconds.
        history: its vitals of the last hour, also while it is offline.
        since: when it came online, or went offline.
        declared_lost: this silence has already turned its work into failure.
        recovering: it had work when the manager started, and has not come back yet.
        opening: sessions that are being opened; the database may already hold them.
        expected_until: it was connected when its manager stopped or died, or it updates its agent.
            It has not come back, and is waited for until then; monotonic seconds. 0: it is not.
        search_text: the lines that a filter searches; None: to be made from the row.
        sort_key: orders by name; empty: to be made from the name.
        kept_variables: what `variables` gives; None: to be made from the row.
        kept_target: what `target` gives; None: to be made from the row.
        certificate: begin and end of the newest one that this manager issued since it started.
    """

    row: HostRow
    silent_since: float
    session: LiveSession | None = None
    elsewhere: SessionElsewhere | None = None
    vitals: Vitals | None = None
    cpu: tuple[float, ...] = ()
    history: VitalsHistory = field(default_factory=VitalsHistory)
    since: datetime | None = None
    declared_lost: bool = False
    recovering: bool = False
    opening: int = 0
    expected_until: float = 0.0
    search_text: str | None = None
    sort_key: str = ""
    kept_variables: Mapping[str, str] | None = None
    kept_target: TargetHost | None = None
    certificate: tuple[datetime, datetime] | None = None

    @property
    def online(self) -> bool:
        """Whether an agent is connected, here or to another manager."""
        return self.session is not None or self.elsewhere is not None

    @property
    def away(self) -> bool:
        """Whether no agent is connected, and no session is being opened."""
        return not (self.online or self.opening)

    @property
    def running(self) -> int:
        """How many executions run on it, as far as that is known."""
        if self.session is not None:
            return len(self.session.running)
        return self.elsewhere.running if self.elsewhere else 0

    @property
    def unknown(self) -> int:
        """How many executions its agent holds that the database does not know."""
        if self.session is not None:
            return len(self.session.unknown)
        return self.elsewhere.unknown if self.elsewhere else 0

    @property
    def features(self) -> frozenset[Feature]:
        """What its agent can do; none while it is offline."""
        session = self.session or self.elsewhere
        return session.features if session else frozenset()

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment variables that each command of the host gets."""
        if self.kept_variables is None:
            self.kept_variables = variables_of_host(self.row.name, self.row.labels)
        return self.kept_variables

    @property
    def target(self) -> TargetHost:
        """What a target may match."""
        if self.kept_target is None:
            row = self.row
            agent = agent_facts(row.agent_version, row.agent_build, row.installed_by)
            self.kept_target = TargetHost(
                row.host_id, row.name, row.labels, row.facts, row.maintenance, agent
            )
        return self.kept_target

    @property
    def transfers(self) -> Mapping[str, RunningTransfer]:
        """Copies and fetches that run on it, by execution."""
        session = self.session or self.elsewhere
        return session.transfers if session else {}

    def record_vitals(self, vitals: Vitals, monotonic: float) -> None:
        """Takes vitals that came now, `monotonic` in seconds."""
        self.vitals = vitals
        self.cpu = (*self.cpu, vitals.cpu_percent)[-CPU_READINGS:]
        self.history.add(vitals, monotonic)

    def session_of(self, generation: int) -> LiveSession | None:
        """Its session, if it is still the one of this generation."""
        session = self.session
        return session if session and session.generation == generation else None

    def maintenance(self, now: datetime) -> Maintenance | None:
        """Its maintenance, if that has not ended."""
        found = self.row.maintenance
        return found if found and found.active(now) else None

    def to_host(self, now: datetime) -> Host:
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
            cpu_history=self.cpu,
            fingerprint=row.fingerprint,
            note=row.note,
            features=frozenset(self.features),
            maintenance=self.maintenance(now),
            agent_build=row.agent_build,
            installed_by=row.installed_by,
        )
