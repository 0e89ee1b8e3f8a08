"""Which part of a task's output a reader wants, host by host. Pure."""

from collections.abc import Sequence

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import OutputChunk


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """Which output of a task.

    Attributes:
        host: the name of a host; empty: of all hosts.
        command: the index of a command in the task, from 0; None: of all commands.
        stream: None: both streams.
    """

    task_id: int
    host: str = ""
    command: int | None = None
    stream: Stream | None = None


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """Where a read of the output of a task continues.

    Attributes:
        host: a number that grows from host to host of the task.
        position: of the chunk of this host that was read last.
    """

    host: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class TruncatedOutput:
    """One command on one host printed more than its output limit.

    Attributes:
        host: its name.
        command: the index of the command in the task, from 0.
        bytes: so many came past the limit and were not kept.
    """

    host: str
    command: int
    bytes: int


@dataclass(frozen=True, slots=True)
class OutputByHost:
    """A part of the output of a task.

    Attributes:
        chunks: of one host after another, of each in the order in which they were stored. A part
            that is not the last one may have none.
        next: where the next part begins; None: this is the last one.
        truncated: of the hosts whose output ends in this part.
    """

    chunks: Sequence[OutputChunk]
    next: OutputPlace | None
    truncated: Sequence[TruncatedOutput] = ()
