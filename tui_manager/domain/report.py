"""What an agent reports of its executions, and what the manager answers, free of the wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from tui_manager.domain.spec import CommandSpec
from tui_manager.domain.status import CommandHostStatus, Reason, Stream


@dataclass(frozen=True, slots=True)
class Started:
    """The shell was executed `age` ago."""

    execution_id: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of one stream.

    Attributes:
        offset: of the first byte, from the beginning of the stream.
        gap: instead of data, so many bytes from `offset` on are gone from the host.
    """

    execution_id: str
    stream: Stream
    offset: int
    data: bytes
    gap: int = 0

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + (self.gap or len(self.data))


@dataclass(frozen=True, slots=True)
class StreamTotal:
    """Bytes of one stream: kept on the host, and dropped past the output limit."""

    stored: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How an execution ended.

    Attributes:
        age: since it ended, on the host's clock.
        duration: from exec to end; None when it never ran.
        memory_peak: bytes, of its largest process.
    """

    execution_id: str
    status: CommandHostStatus
    reason: Reason
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    age: timedelta = timedelta(0)
    duration: timedelta | None = None
    totals: Mapping[Stream, StreamTotal] = field(default_factory=dict)
    cpu: timedelta = timedelta(0)
    memory_peak: int = 0
    kill_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What one message of an agent says of its executions."""

    started: tuple[Started, ...] = ()
    output: tuple[Output, ...] = ()
    results: tuple[Result, ...] = ()

    @property
    def execution_ids(self) -> Iterator[str]:
        """Of what it says, some more than once."""
        for items in (self.started, self.output, self.results):
            for item in items:
                yield item.execution_id


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is in the database for good.

    Attributes:
        offsets: stored up to here, a stream.
        result: the result is stored and its output complete: the agent forgets the execution.
    """

    execution_id: str
    offsets: Mapping[Stream, int]
    result: bool


class HeldState(StrEnum):
    """Where an execution stands in an agent's journal."""

    ACCEPTED = "accepted"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Held:
    """An execution that an agent's journal holds, as its Hello names it."""

    execution_id: str
    state: HeldState
    has_result: bool = False


class ResumeAction(StrEnum):
    """What an agent shall do with an execution that it holds."""

    GO_ON = "go_on"
    CANCEL = "cancel"
    STORED = "stored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resume:
    """The manager's answer for one held execution."""

    execution_id: str
    action: ResumeAction
    offsets: Mapping[Stream, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One command for one host, ready to be sent.

    Attributes:
        command: as the operator gave it; the values of its secrets are in `environment`.
        environment: all variables that the command gets.
        start_before: from now until the host must have started it; None: no limit.
        secrets: names of the variables in `environment` whose values are shown nowhere.
    """

    execution_id: str
    command: CommandSpec
    environment: Mapping[str, str] = field(repr=False)
    kill_grace: timedelta
    output_limit: int
    start_before: timedelta | None = None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Greeting:
    """Who dialed in, as its Hello says.

    Attributes:
        host_id: what an earlier Welcome gave it; empty at the first contact.
        instance_id: new with each start of the agent.
        skew: its wall clock minus the manager's.
        features: the words of Hello, those among them that the manager knows matter.
    """

    name: str
    host_id: str
    manager_id: str
    journal_id: str
    machine_id: str
    boot_id: str
    instance_id: str
    hostname: str
    os: str
    arch: str
    labels: Mapping[str, str]
    capacity: int
    agent_version: str
    address: str
    skew: timedelta = timedelta(0)
    held: tuple[Held, ...] = ()
    features: tuple[str, ...] = ()
