"""Tasks, their commands and command hosts, and how the status of the whole derives from them.

What an operator asks for, and its checks, are in task_spec.py.
"""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.task_spec.task_parameters import Parameter
from tui_manager.domain.task_spec.task_spec import (
    DELIVERY_TIMEOUT,
    OFFLINE_DEFAULT,
    CommandSpec,
    Offline,
    TaskSpec,
)
from tui_manager.domain.task_spec.template_version import TemplateVersion


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of command hosts in each status."""

    total: int = 0
    pending: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    timeout: int = 0
    canceled: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        """How many have ended."""
        return self.total - self.pending - self.running

    @property
    def faults(self) -> int:
        """How many ended in another way than completed or canceled."""
        return self.failed + self.timeout + self.skipped

    def as_dict(self) -> dict[str, int]:
        """The counts by their names, in the order of the declaration."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def command_status(counts: Counts, *, started: bool, canceled: bool) -> CommandHostStatus:
    """The derived status of a command.

    Args:
        counts: of its command hosts.
        started: whether its task was started.
        canceled: whether its task was cancelled.
    """
    if counts.running or (counts.pending and started):
        return CommandHostStatus.RUNNING
    if not counts.total:
        return CommandHostStatus.CANCELED if canceled else CommandHostStatus.PENDING
    if canceled and counts.canceled:
        return CommandHostStatus.CANCELED
    if counts.timeout:
        return CommandHostStatus.TIMEOUT
    if counts.failed or counts.skipped or counts.canceled:
        return CommandHostStatus.FAILED
    return CommandHostStatus.COMPLETED


def ended_task_status(counts: Counts, *, canceled: bool) -> TaskStatus | None:
    """The final status of a task with these counts; None while one is pending or running."""
    if counts.pending or counts.running:
        return None
    if canceled:
        return TaskStatus.CANCELED
    return TaskStatus.COMPLETED if counts.completed == counts.total else TaskStatus.FAILED


@dataclass(frozen=True, slots=True)
class Hold:
    """A task waits after a batch until an operator resumes it.

    Attributes:
        batch: the one that has ended, from 1.
        of: so many batches.
        expires_at: then the rest is skipped; None: the task is paused, and this clock with it.
    """

    batch: int
    of: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """Where a rollout is.

    Attributes:
        batch: that began last, from 1; 0: none yet.
        hosts_waiting: for their turn, or, not under way, for their connection.
        hosts_failed: as the failure budget counts them.
        max_failures: hosts that may fail; None: all.
        max_concurrency: hosts under way at one time; 0: no limit.
        hosts_at_barrier: that wait until all of their batch have come so far; not under way.
    """

    batch: int
    batches: int
    hosts_waiting: int
    hosts_under_way: int
    hosts_failed: int
    max_failures: int | None
    max_concurrency: int
    hosts_at_barrier: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A task as lists show it.

    Attributes:
        task_id: a small integer, what people say aloud.
        host_count: hosts it was started on; 0 before the start.
        hosts_ended: of these hosts, those on which every command has ended.
        hosts_failed: hosts on which a command failed or timed out; skipped ones do not count.
        cancel_requested_at: when an operator cancelled it; the status follows once it is true.
        paused: nothing more is sent until an operator resumes it.
        hold: None if it does not wait after a batch.
        rerun_of: the task whose hosts it repeats; 0: none.
        rollout: None if all hosts began at once.
        template: from which it was made; None: from none.
    """

    task_id: int
    name: str
    description: str
    target: str
    status: TaskStatus
    counts: Counts
    host_count: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    offline: Offline = OFFLINE_DEFAULT
    delivery_timeout: timedelta = DELIVERY_TIMEOUT
    paused: bool = False
    hold: Hold | None = None
    rerun_of: int = 0
    rollout: RolloutProgress | None = None
    template: TemplateVersion | None = None
    hosts_ended: int = 0
    hosts_failed: int = 0

    @property
    def canceling(self) -> bool:
        """True between the operator's cancel and the end of the last command."""
        return self.status is TaskStatus.RUNNING and self.cancel_requested_at is not None

    @property
    def waits(self) -> bool:
        """True if it is paused or on hold: it goes on when an operator resumes it."""
        return self.paused or self.hold is not None

    @property
    def state(self) -> str:
        """The status as people read it: a running task may be canceling, paused or on hold."""
        if self.canceling:
            return "canceling"
        if self.paused:
            return "paused"
        return "on hold" if self.hold else self.status


@dataclass(frozen=True, slots=True)
class Command:
    """One step of a task, with its progress; `index` counts from 0."""

    index: int
    spec: CommandSpec
    status: CommandHostStatus
    counts: Counts


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task with its commands.

    Attributes:
        rollout: as it was asked for.
        reruns: tasks that repeat hosts of this one, the newest first, at most 20.
        left_out: names of hosts that its target matched and that were left out.
        parameters: what its task file says of its parameters.
    """

    task: Task
    commands: tuple[Command, ...]
    rollout: RolloutSpec = ALL_AT_ONCE
    reruns: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()
    include_maintenance: bool = False
    parameters: tuple[Parameter, ...] = ()

    @property
    def spec(self) -> TaskSpec:
        """What was asked for. Of secrets it has only the names, and of contents not the bytes."""
        task = self.task
        return TaskSpec(
            target=task.target,
            commands=tuple(command.spec for command in self.commands),
            name=task.name,
            description=task.description,
            created_by=task.created_by,
            offline=task.offline,
            delivery_timeout=task.delivery_timeout,
            rollout=self.rollout,
            include_maintenance=self.include_maintenance,
            template=task.template,
            parameters=self.parameters,
        )


class NewTask(NamedTuple):
    """A task that was made and started by one call.

    Attributes:
        left_out: names of hosts that the target matches and on which it does not run.
    """

    task_id: int
    left_out: tuple[str, ...] = ()


class Rerun(NamedTuple):
    """A new task that repeats another one on some of its hosts.

    Attributes:
        task_id: of the new task, which is pending.
        gone: names of hosts that are not in the fleet any more and are left out.
    """

    task_id: int
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandHost:
    """One command on one host.

    Attributes:
        command: the index of the command in its task, from 0.
        stdout_bytes, stderr_bytes: stored in the database so far, gaps counted in.
        truncated_bytes: what came past the output limit and was counted, not kept.
        late: a result that replaced a guess of the manager.
        kill_incomplete: processes of it survive that the agent may not signal.
        batch: of its host in the rollout, from 1; 0: the task has none.
        waits_until: its host is offline, and until then it waits for the connection; None: it does
            not wait. While its task is paused, this moves on.
        transfer: of a copy or a fetch that has begun; None: nothing is known.
    """

    execution_id: str
    task_id: int
    command: int
    host_id: str
    host: str
    status: CommandHostStatus
    reason: Reason
    detail: str
    exit_code: int | None
    signal: int | None
    stdout_bytes: int
    stderr_bytes: int
    truncated_bytes: int
    sent_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    late: bool
    kill_incomplete: bool
    batch: int = 0
    waits_until: datetime | None = None
    transfer: Transfer | None = None

    @property
    def canceling(self) -> bool:
        """True between the operator's cancel and its proof."""
        return not self.status.ended and self.cancel_requested_at is not None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a task.

    Attributes:
        fraction: of its command hosts that have ended, 0.0 to 1.0.
        elapsed: since the start, up to the end; None before the start.
        remaining: an estimate from the pace so far; None when there is nothing to judge by.
        paused, hold: of the task.
    """

    task_id: int
    status: TaskStatus
    counts: Counts
    commands: tuple[Counts, ...]
    fraction: float
    elapsed: timedelta | None
    remaining: timedelta | None
    paused: bool = False
    hold: Hold | None = None


def estimate_remaining(counts: Counts, elapsed: timedelta) -> timedelta | None:
    """An estimate of the remaining time; None before the first end and after the last."""
    left = counts.total - counts.ended
    if not counts.ended or not left:
        return None
    return elapsed * (left / counts.ended)


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """A piece of stored output.

    Attributes:
        position: grows in the order in which output was stored; what `after` takes.
        command: the index of the command in its task, from 0.
        offset: of its first byte in its stream.
        gap: instead of data, so many bytes are gone.
        stored_at: by the manager; None if it was stored before the manager noted this.
    """

    position: int
    execution_id: str
    host: str
    command: int
    stream: Stream
    offset: int
    data: bytes
    gap: int = 0
    stored_at: datetime | None = None

    def part_from(self, offset: int) -> "OutputChunk | None":
        """The part from `offset` (bytes in the stream) on; None if there is none."""
        skip = offset - self.offset
        if skip <= 0:
            return self
        if skip >= (self.gap or len(self.data)):
            return None
        gap = self.gap - skip if self.gap else 0
        return replace(self, offset=offset, data=self.data[skip:], gap=gap)
