"""Hosts: names, labels, identity, and what ran on them. Their vitals are in `vitals.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import names_and_labels

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.agent_version import BUNDLE
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.hosts.vitals import Vitals, VitalsPoint
from tui_manager.domain.status import Admission
from tui_manager.domain.tasks.task import CommandHost, Task

TASKS_SHOWN = 20  # of one host
UNENDED_SHOWN = 50  # runs of one host that have not ended


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
class Host:
    """A managed machine as lists show it.

    Attributes:
        host_id: a UUID made by the manager, bound to the agent's identity.
        since: when it came online, or went offline.
        address: where its session came from last, `ip:port`.
        vitals: None when offline.
        cpu_history: the last `CPU_READINGS` readings of cpu_percent, oldest first.
        fingerprint: of its key, in the words that its agent prints; empty: it has no key.
        note: a sentence that the operator should read before an approval, for example about another
            host with the same name.
        features: what its agent can do, in the words of its Hello; none when offline.
        maintenance: None if there is none, or it has ended.
        agent_build: of the bundle that its agent runs from; empty: it runs from none.
        installed_by: `bundle`, `deb` or `rpm`; empty: by other means, or its agent is too old to
            say.
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
    agent_build: str = ""
    installed_by: str = ""

    @property
    def agent(self) -> str:
        """`0.2.0 (build 0123456789ab, deb)`, with what is known of it; empty: nothing is."""
        build = f"build {self.agent_build}" if self.agent_build else ""
        by = "" if self.installed_by in ("", BUNDLE) else self.installed_by
        more = ", ".join(filter(None, (build, by)))
        return f"{self.agent_version} ({more})" if more else self.agent_version

    @property
    def running(self) -> int:
        """Executions of this manager that run on the host; 0 when it is offline."""
        return self.vitals.running if self.vitals else 0

    def at(self, now: datetime) -> "Host":
        """The host at a time after it was read: its maintenance may have ended since."""
        ended = self.maintenance is not None and not self.maintenance.active(now)
        return replace(self, maintenance=None) if ended else self


@dataclass(frozen=True, slots=True)
class HostRun:
    """What a task did on one host.

    Attributes:
        task: its name.
        steps: how many commands the task has.
        row: the command host that says how it went: the one that runs, else the first that failed,
            else the one that is next, else the first that was canceled, else the last.
        started_at: when the first of its commands began there; None: none has begun.
        finished_at: when the last one ended, if all have ended.
    """

    task: str
    steps: int
    row: CommandHost
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HostDetail:
    """A host with what lists do not show.

    Attributes:
        facts: what its agent tells of the machine, and what its owner adds.
        facts_at: when its agent told them; None: never.
        tasks: that ran on it, the newest `TASKS_SHOWN`.
        operator_labels: those of its labels that operators gave it.
        vitals_history: of the last hour, a point a minute, oldest first; a minute without vitals
            has none.
        runs: those that have not ended, at most `UNENDED_SHOWN`, and those of the newest
            `TASKS_SHOWN` tasks; the newest task first.
        admitted_at, admitted_by: the last admission; None and empty if the audit no longer has it.
        manager: the name of the manager to which it is connected; empty: to none, or there is only
            one.
    """

    host: Host
    facts: Mapping[str, str] = field(default_factory=dict)
    facts_at: datetime | None = None
    tasks: Sequence[Task] = ()
    operator_labels: Mapping[str, str] = field(default_factory=dict)
    vitals_history: tuple[VitalsPoint, ...] = ()
    runs: tuple[HostRun, ...] = ()
    admitted_at: datetime | None = None
    admitted_by: str = ""
    manager: str = ""
