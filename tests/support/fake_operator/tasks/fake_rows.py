"""What a task of the fake operator is made of: its rows, how they are counted and sorted."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from tui_manager.domain.hosts.host import Host, HostRun
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.host_class import HostClass, command_host_class, host_class
from tui_manager.domain.tasks.task import CommandHost, Counts, Task
from tui_manager.operator.api import OutputChunk

FAULTS = (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT, CommandHostStatus.SKIPPED)
ORDER = {
    CommandHostStatus.FAILED: 0,
    CommandHostStatus.TIMEOUT: 0,
    CommandHostStatus.SKIPPED: 0,
    CommandHostStatus.CANCELED: 0,
    CommandHostStatus.RUNNING: 1,
    CommandHostStatus.PENDING: 2,
    CommandHostStatus.COMPLETED: 3,
}


@dataclass
class FakeTask:
    """A task with its command hosts by execution_id, and its output in order of arrival.

    Attributes:
        batch: that began last.
        released: the last batch after which it was held already.
    """

    row: Task
    spec: TaskSpec
    rows: dict[str, CommandHost] = field(default_factory=dict)
    output: list[OutputChunk] = field(default_factory=list)
    dirty: bool = False
    sorted_rows: list[CommandHost] | None = None
    left_out: tuple[str, ...] = ()
    batch: int = 0
    released: int = 0


_SAYS_HOW_IT_WENT = (
    CommandHostStatus.RUNNING,
    CommandHostStatus.PENDING,
    CommandHostStatus.FAILED,
    CommandHostStatus.TIMEOUT,
    CommandHostStatus.CANCELED,
    CommandHostStatus.SKIPPED,
    CommandHostStatus.COMPLETED,
)


def run_of_host(task: FakeTask, host: Host) -> HostRun:
    """What a task did on a host."""
    rows = [row for row in task.rows.values() if row.host_id == host.host_id]
    last = max(rows, key=lambda row: row.command)
    first = min(rows, key=lambda row: (_SAYS_HOW_IT_WENT.index(row.status), row.command))
    completed = first.status is CommandHostStatus.COMPLETED
    starts = [row.started_at for row in rows if row.started_at]
    ends = [row.finished_at for row in rows if row.finished_at]
    return HostRun(
        task.row.name,
        len(task.spec.commands),
        last if completed else first,
        min(starts, default=None),
        max(ends, default=None) if first.status.ended else None,
    )


def waiting_row(
    task_id: int, command: int, host: Host, now: datetime, batch: int = 0
) -> CommandHost:
    """`batch`: of a rollout, in which nothing is sent before its turn."""
    return CommandHost(
        execution_id=f"{task_id}/{command}/{host.name}",
        task_id=task_id,
        command=command,
        host_id=host.host_id,
        host=host.name,
        status=CommandHostStatus.PENDING,
        reason=Reason.NONE,
        detail="",
        exit_code=None,
        signal=None,
        stdout_bytes=0,
        stderr_bytes=0,
        truncated_bytes=0,
        sent_at=now if host.online and not batch else None,
        started_at=None,
        finished_at=None,
        cancel_requested_at=None,
        late=False,
        kill_incomplete=False,
        batch=batch,
    )


def count(rows: list[CommandHost]) -> Counts:
    counts = dict.fromkeys(CommandHostStatus, 0)
    for row in rows:
        counts[row.status] += 1
    return Counts(total=len(rows), **{status.value: count for status, count in counts.items()})


def with_hosts(task: Task, rows: Iterable[CommandHost]) -> Task:
    """The task with the numbers of hosts that have ended and failed."""
    by_host: dict[str, list[CommandHost]] = {}
    for row in rows:
        by_host.setdefault(row.host_id, []).append(row)
    failed = (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT)
    return replace(
        task,
        hosts_ended=sum(all(row.status.ended for row in on) for on in by_host.values()),
        hosts_failed=sum(any(row.status in failed for row in on) for on in by_host.values()),
    )


def sort_key(task: Task, column: str) -> tuple[float, int]:
    """What tasks are sorted by; what a task does not have yet is 0."""
    started, finished = task.started_at, task.finished_at
    match column:
        case "started":
            return (started.timestamp() if started else 0.0, task.task_id)
        case "finished":
            return (finished.timestamp() if finished else 0.0, task.task_id)
        case "duration":
            if started is None:
                return (0.0, task.task_id)
            running = 1e12 - started.timestamp()
            return ((finished - started).total_seconds() if finished else running, task.task_id)
        case _:
            return (0.0, task.task_id)


def limited(chunks: list[OutputChunk], limit: int) -> list[OutputChunk]:
    taken, size = [], 0
    for chunk in chunks:
        taken.append(chunk)
        size += len(chunk.data)
        if size >= limit:
            break
    return taken


def classes_of(rows: Iterable[CommandHost]) -> dict[str, HostClass]:
    """The class of each host of a task, by name."""
    found: dict[str, list[HostClass]] = {}
    for row in rows:
        began = row.started_at is not None
        found.setdefault(row.host, []).append(
            command_host_class(row.status, row.reason, began=began)
        )
    return {name: host_class(classes) for name, classes in found.items()}
