"""Hosts: names, labels, identity, vitals."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.status import Admission

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9._:/@+-]{0,128}")
LABELS_MAX = 64


def check_name(name: str) -> None:
    """Raises InvalidInputError unless `name` can be a host's name."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            "name",
            f"{name[:80]!r} is not a host's name: 1 to 64 of letters, digits, '.', '_', '-', a "
            "letter or a digit first. Start this agent with another --name.",
        )


def check_labels(labels: Mapping[str, str]) -> None:
    """Raises InvalidInputError unless all of `labels` can be a host's labels."""
    if len(labels) > LABELS_MAX:
        raise InvalidInputError(
            "label", f"A host has at most {LABELS_MAX} labels, not {len(labels)}."
        )
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise InvalidInputError(
                "label",
                f"{key[:80]!r} is not a label's key: up to 63 of letters, digits and "
                "'.', '_', '/', '-'.",
            )
        if not _LABEL_VALUE.fullmatch(value):
            raise InvalidInputError(
                "label",
                f"The value of label {key} ({value[:80]!r}) may hold up to 128 of letters, digits "
                "and '.', '_', ':', '/', '@', '+', '-'.",
            )


def labels_text(labels: Mapping[str, str]) -> str:
    """`env=prod role=web`, in the order of the keys, whatever order a wire or a table gave them."""
    return " ".join(f"{key}={value}" for key, value in sorted(labels.items()))


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
        running: executions that run on the host; the manager counts them by what it was told of
            each.
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
        note: what is odd about it and should be known before it is approved; a sentence.
        features: what its agent can do, in the words of its Hello; none when offline.
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

    @property
    def running(self) -> int:
        """Executions of this manager that run on the host; 0 when it is offline."""
        return self.vitals.running if self.vitals else 0
