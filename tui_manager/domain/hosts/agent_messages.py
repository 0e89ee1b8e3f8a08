"""What an agent reports of its executions, and what the manager answers."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.facts import PackedFacts
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec


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
        gap: instead of data: this many bytes from `offset` on are lost.
    """

    execution_id: str
    stream: Stream
    offset: int
    data: bytes
    gap: int = 0

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.offset + (self.gap or len(self.data))


@dataclass(frozen=True, slots=True)
class StreamTotal:
    """Bytes of one stream: stored on the host, and dropped beyond the output limit."""

    stored: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How an execution ended.

    Attributes:
        age: since it ended, on the host's clock.
        duration: from exec to end; None if it never ran.
        memory_peak: bytes, of its largest process.
        transfer: of a copy or a fetch that completed; of a fetch, of its set only the hash is
            known here.
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
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """The news of executions in one message of an agent."""

    started: tuple[Started, ...] = ()
    output: tuple[Output, ...] = ()
    results: tuple[Result, ...] = ()

    @property
    def execution_ids(self) -> Iterator[str]:
        """The executions in the report; one may come more than once."""
        for items in (self.started, self.output, self.results):
            for item in items:
                yield item.execution_id


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is committed to the database.

    Attributes:
        offsets: for each stream, up to which offset it is stored.
        result: the result and all its output are stored; the agent removes the execution.
    """

    execution_id: str
    offsets: Mapping[Stream, int]
    result: bool


class HeldState(StrEnum):
    """The state of an execution in the journal of an agent."""

    ACCEPTED = "accepted"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Held:
    """An execution in the journal of an agent, as in its Hello."""

    execution_id: str
    state: HeldState
    has_result: bool = False


class ResumeAction(StrEnum):
    """What an agent must do with an execution in its journal."""

    GO_ON = "go_on"
    CANCEL = "cancel"
    STORED = "stored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resume:
    """The answer of the manager for one execution in a Hello."""

    execution_id: str
    action: ResumeAction
    offsets: Mapping[Stream, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One command for one host, ready to be sent.

    Attributes:
        command: as the operator gave it; the values of its secrets are in `environment`, and the
            bytes of its contents are added just before it is sent.
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

    @property
    def size(self) -> int:
        """About how many bytes its message has; a character counts as one."""
        command = self.command
        return (
            len(command.text)
            + sum(map(len, command.arguments))
            + sum(map(len, command.fetch.paths if command.fetch else ()))
            + sum(len(name) + len(value) for name, value in self.environment.items())
            + (command.script.size if command.script else 0)
            + (command.stdin.size if command.stdin else 0)
        )


@dataclass(frozen=True, slots=True)
class AgentHello:
    """The host of a new stream, as its Hello says.

    Attributes:
        host_id: from an earlier Welcome; empty at the first connection.
        instance_id: new with each start of the agent.
        skew: its wall clock minus the manager's.
        features: the words of Hello; the manager ignores those that it does not know.
        facts: of the host; None: its agent tells none.
        agent_build: of the bundle that it runs from; empty: it runs from none.
        installed_by: `bundle`, `deb` or `rpm`; empty: by other means.
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
    facts: PackedFacts | None = None
    agent_build: str = ""
    installed_by: str = ""
