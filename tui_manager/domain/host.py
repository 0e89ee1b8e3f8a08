"""Hosts: names, labels, identity, vitals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tui_manager_protos.rules import names_and_labels

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import Admission
from tui_manager.domain.task import Task

REASON_LENGTH = 200  # characters of the reason of a maintenance

TASKS_SHOWN = 20  # of one host


def check_name(name: str, to_do: str = "Start this agent with another --name.") -> None:
    """Raises InvalidInputError unless a host can be given this name.

    Args:
        to_do: the last sentence of the error.
    """
    try:
        names_and_labels.check_host_name(name)
    except ValueError as error:
        raise InvalidInputError("name", f"{error}. {to_do}") from error


def check_labels(labels: Mapping[str, str]) -> None:
    """Raises InvalidInputError unless a host can have all of these labels."""
    try:
        names_and_labels.check_labels(labels)
    except ValueError as error:
        message = str(error)
        raise InvalidInputError("label", f"{message[0].upper()}{message[1:]}.") from error


def labels_text(labels: Mapping[str, str]) -> str:
    """`env=prod role=web`, in the order of the keys, whatever order a wire or a table gave them."""
    return " ".join(f"{key}={value}" for key, value in sorted(labels.items()))


@dataclass(frozen=True, slots=True)
class Maintenance:
    """An operator works on a host, and tasks leave it out.

    Attributes:
        reason: why; one line.
        until: when it ends by itself; None: an operator ends it.
        asked_by: who put the host into maintenance, `user@terminal`.
    """

    reason: str
    until: datetime | None
    asked_by: str

    def active(self, now: datetime) -> bool:
        """Whether it has not ended yet. One that has ended is as if there were none."""
        return self.until is None or now < self.until

    def check(self, now: datetime) -> None:
        """Raises InvalidInputError unless a host can be put into this maintenance now."""
        if not self.reason.strip():
            raise InvalidInputError("reason", "Give the reason of the maintenance.")
        if len(self.reason) > REASON_LENGTH:
            raise InvalidInputError(
                "reason", f"The reason is longer than {REASON_LENGTH} characters."
            )
        if safe_line(self.reason) != self.reason:
            raise InvalidInputError(
                "reason", "The reason is one line of text, without control characters."
            )
        if self.until is not None and self.until <= now:
            end = self.until.astimezone(UTC)
            raise InvalidInputError(
                "until",
                f"The maintenance would end at {end:%Y-%m-%d %H:%M:%S} UTC, which has passed. "
                "Give a later end.",
            )


@dataclass(frozen=True, slots=True)
class Disk:
    """One mounted file system; sizes in bytes."""

    mount: str
    used: int
    total: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """The newest measurements of a host; kept in memory only.

    Attributes:
        cpu_percent: of all cores together, 0 to 100.
        memory_used, memory_total: bytes.
        running: executions that run on the host; the manager counts them by their reports.
        queued: executions that wait for capacity there.
        skew: the host's wall clock minus the manager's.
    """

    cpu_percent: float = 0.0
    load_1m: float = 0.0
    memory_used: int = 0
    memory_total: int = 0
    disks: tuple[Disk, ...] = ()
    running: int = 0
    queued: int = 0
    cores: int = 0
    uptime: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)

    @property
    def memory_percent(self) -> float:
        """Used memory, 0 to 100; 0 when the total is not known."""
        return 100 * self.memory_used / self.memory_total if self.memory_total else 0.0


@dataclass(frozen=True, slots=True)
class Host:
    """A managed machine as lists show it.

    Attributes:
        host_id: a UUID made by the manager, bound to the agent's identity.
        since: when it came online, or went offline.
        address: where its session came from last, `ip:port`.
        vitals: None when offline.
        cpu_history: the last readings of cpu_percent, oldest first.
        fingerprint: of its key, in the words that its agent prints; empty: it has no key.
        note: a sentence that the operator should read before an approval, for example about another
            host with the same name.
        features: what its agent can do, in the words of its Hello; none when offline.
        maintenance: None if there is none, or it has ended.
    """

    host_id: str
    name: str
    labels: Mapping[str, str]
    admission: Admission
    online: bool
    since: datetime | None
    address: str
    os: str
    arch: str
    agent_version: str
    capacity: int
    vitals: Vitals | None = None
    cpu_history: tuple[float, ...] = field(default=())
    fingerprint: str = ""
    note: str = ""
    features: frozenset[str] = frozenset()
    maintenance: Maintenance | None = None

    @property
    def running(self) -> int:
        """Executions of this manager that run on the host; 0 when it is offline."""
        return self.vitals.running if self.vitals else 0


@dataclass(frozen=True, slots=True)
class HostDetail:
    """A host with what lists do not show.

    Attributes:
        facts: what its agent tells of the machine, and what its owner adds.
        facts_at: when its agent told them; None: never.
        tasks: that ran on it, the newest `TASKS_SHOWN`.
        operator_labels: those of its labels that operators gave it.
    """

    host: Host
    facts: Mapping[str, str] = field(default_factory=dict)
    facts_at: datetime | None = None
    tasks: Sequence[Task] = ()
    operator_labels: Mapping[str, str] = field(default_factory=dict)
