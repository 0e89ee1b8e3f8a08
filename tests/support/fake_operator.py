"""An operator's API in memory that behaves truthfully: moves go by the domain's table, counts are
recounts, output is appended, changes are coalesced. Tests script it; nothing here is timed."""

import asyncio
import bisect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tests.support.fake_target import fold, resolve
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import (
    IllegalMoveError,
    ManagerError,
    NotFoundError,
    UnreachableError,
)
from tui_manager.domain.health import Health, ManagerStatus
from tui_manager.domain.host import Host, Vitals
from tui_manager.domain.spec import TaskSpec
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task import (
    Command,
    CommandHost,
    Counts,
    Progress,
    Task,
    TaskDetail,
    command_status,
    ended_task_status,
    estimate_remaining,
)
from tui_manager.domain.transitions import TASK_TRANSITIONS, Operation, TaskOperation, move
from tui_manager.domain.window import Page, Row, Window
from tui_manager.operator.api import OutputChunk, TargetPreview

START = datetime(2026, 3, 2, 14, 3, 22, tzinfo=UTC)
EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True)
_FAULTS = (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT, CommandHostStatus.SKIPPED)
_ORDER = {
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
    """A task with its command hosts by execution_id, and its output in order of arrival."""

    row: Task
    spec: TaskSpec
    rows: dict[str, CommandHost] = field(default_factory=dict)
    output: list[OutputChunk] = field(default_factory=list)
    dirty: bool = False
    sorted_rows: list[CommandHost] | None = None


class FakeOperator:
    """Implements the Operator Protocol over dicts.

    Args:
        now: the clock; `clock` holds the value that the default one tells.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.clock = START
        self.now = now or (lambda: self.clock)
        self.hosts: dict[str, Host] = {}
        self.tasks: dict[int, FakeTask] = {}
        self.attention: tuple[str, ...] = ()
        self.security = "insecure"
        self.health = Health(commit_seconds=0.0021, loop_lag_seconds=0.004, memory_bytes=64 << 20)
        self.failure: ManagerError | None = None
        self.calls: list[str] = []
        self.closed = False
        self._position = 0
        self._ended = False
        self._watchers: list[_Watcher] = []
        self._names: list[str] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FakeOperator"]:
        """What the app opens on mount."""
        try:
            yield self
        finally:
            self.closed = True

    # Scripting.

    def add_host(
        self,
        name: str,
        *,
        labels: dict[str, str] | None = None,
        online: bool = True,
        admission: Admission = Admission.ADMITTED,
        cpu: tuple[float, ...] = (5.0,),
        memory: float = 0.4,
        running: int = 0,
        ago: timedelta = timedelta(hours=2),
    ) -> Host:
        """A host, online since `ago` before now."""
        total = 16 << 30
        host = Host(
            host_id=f"host-{name}",
            name=name,
            labels=labels or {},
            admission=admission,
            online=online,
            since=self.now() - ago,
            address="10.0.0.9:40112",
            os="linux",
            arch="x86_64",
            agent_version="0.1.0",
            capacity=4,
            vitals=Vitals(cpu[-1], 0.5, int(total * memory), total, running=running, cores=8)
            if online
            else None,
            cpu_history=cpu if online else (),
        )
        self.hosts[name] = host
        self._names = None
        self.publish(Changes(hosts=True, manager=True))
        return host

    def change_host(self, name: str, **fields: object) -> None:
        """Replaces fields of a host."""
        self.hosts[name] = replace(self.hosts[name], **fields)  # type: ignore[arg-type]
        self.publish(Changes(hosts=True))

    def emit(self, execution_id: str, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        """Appends output of a command host, which implies that it runs."""
        task = self.task_of(execution_id)
        row = task.rows[execution_id]
        if row.status is CommandHostStatus.PENDING:
            self.apply(execution_id, Operation.START)
            row = task.rows[execution_id]
        offset = row.stdout_bytes if stream is Stream.STDOUT else row.stderr_bytes
        self._position += 1
        task.output.append(
            OutputChunk(
                self._position, execution_id, row.host, row.command, stream, offset, data, 0
            )
        )
        if stream is Stream.STDOUT:
            row = replace(row, stdout_bytes=offset + len(data))
        else:
            row = replace(row, stderr_bytes=offset + len(data))
        task.rows[execution_id] = row
        task.sorted_rows = None
        self.publish(Changes(output=frozenset({row.task_id})))

    def apply(
        self,
        execution_id: str,
        operation: Operation,
        reason: Reason = Reason.NONE,
        *,
        exit_code: int | None = None,
        detail: str = "",
        kill_incomplete: bool = False,
    ) -> None:
        """One move of a command host by the domain's table; not a move raises IllegalMoveError."""
        task = self.task_of(execution_id)
        row = task.rows[execution_id]
        made = move(operation, row.status, row.reason)
        if made is None or reason not in made.reasons:
            raise IllegalMoveError(f"{operation} is no move from {row.status} {row.reason}.")
        now = self.now()
        ended = made.status.ended
        task.rows[execution_id] = replace(
            row,
            status=made.status,
            reason=reason,
            exit_code=exit_code,
            detail=detail,
            late=made.late,
            kill_incomplete=kill_incomplete,
            started_at=row.started_at or (now if operation is not Operation.SKIP else None),
            finished_at=now if ended else None,
        )
        self._recount(task)

    def finish(self, execution_id: str, exit_code: int = 0) -> None:
        """A result by exit code."""
        if exit_code:
            self.apply(execution_id, Operation.FAIL, Reason.EXIT_CODE, exit_code=exit_code)
        else:
            self.apply(execution_id, Operation.COMPLETE, exit_code=0)

    def execution(self, task_id: int, host: str, command: int = 0) -> str:
        """The execution_id of a command host."""
        return f"{task_id}/{command}/{host}"

    def end(self) -> None:
        """The manager ends: every call fails from here on."""
        self._ended = True
        self.failure = UnreachableError("The manager has ended.")
        for watcher in self._watchers:
            watcher.event.set()

    def revive(self) -> None:
        """The manager is back."""
        self._ended = False
        self.failure = None

    def publish(self, changes: Changes) -> None:
        """Tells the watchers."""
        for watcher in self._watchers:
            watcher.pending |= changes
            watcher.event.set()

    def task_of(self, execution_id: str) -> FakeTask:
        """The task that a command host belongs to."""
        return self._task(int(execution_id.split("/")[0]))

    # The Protocol.

    async def manager_status(self) -> ManagerStatus:
        self._check("manager_status")
        rows = self.hosts.values()
        return ManagerStatus(
            manager_id="manager-1",
            version="0.1.0",
            pid=4242,
            state_dir="/var/lib/tui-manager",
            address="127.0.0.1:7443",
            security=self.security,
            started_at=START - timedelta(days=1),
            recovering=False,
            hosts_total=len(rows),
            hosts_online=sum(host.online for host in rows),
            hosts_pending=sum(host.admission is Admission.PENDING for host in rows),
            tasks_running=sum(t.row.status is TaskStatus.RUNNING for t in self.tasks.values()),
            attention=self.attention,
            health=self.health,
        )

    async def list_hosts(self, window: Window) -> Page[Host]:
        self._check("list_hosts")
        if self._names is None:
            self._names = sorted(self.hosts)
        hosts = [self.hosts[name] for name in self._names]
        text = window.text.lower()
        if text:
            hosts = [host for host in hosts if text in _host_words(host)]
        if window.faults_only:
            hosts = [host for host in hosts if not host.online]
        if window.sort and window.sort != "name":
            hosts.sort(key=_HOST_KEYS[window.sort])
        return _page(hosts, window, len(self.hosts))

    async def list_tasks(self, window: Window) -> Page[Task]:
        self._check("list_tasks")
        tasks = [self.tasks[task_id].row for task_id in sorted(self.tasks, reverse=True)]
        text = window.text.lower()
        if text:
            tasks = [t for t in tasks if text in f"{t.task_id} {t.name} {t.target}".lower()]
        if window.faults_only:
            tasks = [t for t in tasks if t.counts.faults]
        return _page(tasks, window, len(self.tasks))

    async def get_task(self, task_id: int) -> TaskDetail:
        self._check("get_task")
        task = self._task(task_id)
        commands = []
        for index, spec in enumerate(task.spec.commands):
            counts = _count([row for row in task.rows.values() if row.command == index])
            status = command_status(
                counts,
                started=task.row.started_at is not None,
                canceled=task.row.cancel_requested_at is not None,
            )
            commands.append(Command(index, spec, status, counts))
        return TaskDetail(task.row, tuple(commands))

    async def get_task_status(self, task_id: int) -> TaskStatus:
        self._check("get_task_status")
        return self._task(task_id).row.status

    async def get_task_progress(self, task_id: int) -> Progress:
        self._check("get_task_progress")
        row = self._task(task_id).row
        elapsed = (row.finished_at or self.now()) - row.started_at if row.started_at else None
        return Progress(
            task_id=task_id,
            status=row.status,
            counts=row.counts,
            commands=(),
            fraction=row.counts.ended / row.counts.total if row.counts.total else 0.0,
            elapsed=elapsed,
            remaining=estimate_remaining(row.counts, elapsed) if elapsed is not None else None,
        )

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        self._check("list_command_hosts")
        task = self._task(task_id)
        if task.sorted_rows is None:
            task.sorted_rows = sorted(
                task.rows.values(), key=lambda row: (_ORDER[row.status], row.command, row.host)
            )
        rows = task.sorted_rows
        if command is not None:
            rows = [row for row in rows if row.command == command]
        if window.text:
            text = window.text.lower()
            rows = [row for row in rows if text in f"{row.host} {row.status} {row.reason}".lower()]
        if window.faults_only:
            rows = [row for row in rows if row.status in _FAULTS]
        if window.sort == "host":
            rows = sorted(rows, key=lambda row: (row.command, row.host))
        return _page(rows, window, len(task.rows))

    async def preview_target(self, target: str) -> TargetPreview:
        self._check("preview_target")
        names = resolve(target, list(self.hosts.values()))
        offline = tuple(name for name in names if not self.hosts[name].online)
        return TargetPreview(tuple(names), offline, fold(names))

    async def create_task(self, spec: TaskSpec) -> int:
        self._check("create_task")
        spec.check()
        task_id = max(self.tasks, default=0) + 1
        row = Task(
            task_id=task_id,
            name=spec.shown_name,
            description=spec.description,
            target=spec.target,
            status=TaskStatus.PENDING,
            counts=Counts(),
            host_count=0,
            created_by=spec.created_by or "ana@pts/3",
            created_at=self.now(),
            started_at=None,
            finished_at=None,
            cancel_requested_at=None,
        )
        self.tasks[task_id] = FakeTask(row, spec)
        self._touched(task_id)
        return task_id

    async def start_task(self, task_id: int) -> None:
        self._check("start_task")
        task = self._task(task_id)
        self._guard(task, TaskOperation.START)
        names = resolve(task.spec.target, list(self.hosts.values()))
        for index in range(len(task.spec.commands)):
            for name in names:
                row = _waiting_row(task_id, index, self.hosts[name], self.now())
                task.rows[row.execution_id] = row
        task.row = replace(
            task.row, status=TaskStatus.RUNNING, started_at=self.now(), host_count=len(names)
        )
        self._recount(task)

    async def cancel_task(self, task_id: int) -> None:
        self._check("cancel_task")
        task = self._task(task_id)
        self._guard(task, TaskOperation.CANCEL)
        task.row = replace(task.row, cancel_requested_at=self.now())
        if task.row.status is TaskStatus.PENDING:
            task.row = replace(task.row, status=TaskStatus.CANCELED, finished_at=self.now())
        for execution_id, row in task.rows.items():
            if not row.status.ended:
                task.rows[execution_id] = replace(row, cancel_requested_at=self.now())
                if row.sent_at is None:
                    self.apply(execution_id, Operation.CANCEL_UNSENT, Reason.CANCELED)
        self._recount(task)

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        self._check("read_output")
        chunks = [
            chunk
            for chunk in self.task_of(execution_id).output
            if chunk.execution_id == execution_id
            and chunk.stream is stream
            and chunk.offset >= offset
        ]
        return _limited(chunks, limit)

    async def follow_output(
        self, task_id: int, after: int = 0, host_id: str = "", limit: int = 1 << 18
    ) -> Sequence[OutputChunk]:
        self._check("follow_output")
        task = self._task(task_id)
        start = bisect.bisect_right(task.output, max(after, 0), key=lambda chunk: chunk.position)
        chunks = task.output[start:]
        if host_id:
            chunks = [chunk for chunk in chunks if f"host-{chunk.host}" == host_id]
        return _limited(chunks[after:] if after < 0 else chunks, limit)

    async def watch(self) -> AsyncIterator[Changes]:
        if self._ended:
            raise UnreachableError("The manager has ended.")
        watcher = _Watcher(EVERYTHING)
        self._watchers.append(watcher)
        try:
            while True:
                await watcher.event.wait()
                watcher.event.clear()
                if self._ended:
                    raise UnreachableError("The manager has ended.")
                changes, watcher.pending = watcher.pending, Changes()
                if changes:
                    yield changes
        finally:
            self._watchers.remove(watcher)

    # How it keeps its word.

    def _check(self, call: str) -> None:
        self.calls.append(call)
        if self.failure:
            raise self.failure

    def _task(self, task_id: int) -> FakeTask:
        if task_id not in self.tasks:
            raise NotFoundError(f"There is no task {task_id}.")
        return self.tasks[task_id]

    def _guard(self, task: FakeTask, operation: TaskOperation) -> None:
        if (operation, task.row.status) not in TASK_TRANSITIONS:
            raise IllegalMoveError(
                f"Task {task.row.task_id} is {task.row.status}: it cannot {operation}."
            )

    def _recount(self, task: FakeTask) -> None:
        task.sorted_rows = None
        counts = _count(list(task.rows.values()))
        canceled = task.row.cancel_requested_at is not None
        ended = ended_task_status(counts, canceled=canceled) if task.rows else None
        task.row = replace(task.row, counts=counts)
        if ended is not None:
            at = task.row.finished_at or self.now()
            task.row = replace(task.row, status=ended, finished_at=at)
        self._touched(task.row.task_id)

    def _touched(self, task_id: int) -> None:
        self.publish(Changes(tasks=frozenset({task_id}), manager=True))


@dataclass
class _Watcher:
    pending: Changes
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.event.set()


def _waiting_row(task_id: int, command: int, host: Host, now: datetime) -> CommandHost:
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
        sent_at=now if host.online else None,
        started_at=None,
        finished_at=None,
        cancel_requested_at=None,
        late=False,
        kill_incomplete=False,
    )


def _count(rows: list[CommandHost]) -> Counts:
    counts = dict.fromkeys(CommandHostStatus, 0)
    for row in rows:
        counts[row.status] += 1
    return Counts(total=len(rows), **{status.value: count for status, count in counts.items()})


def _host_words(host: Host) -> str:
    labels = " ".join(f"{key}={value}" for key, value in host.labels.items())
    return f"{host.name} {labels}".lower()


_HOST_KEYS: dict[str, Callable[[Host], tuple[float, str]]] = {
    "state": lambda host: (float(host.online), host.name),
    "cpu": lambda host: (-(host.vitals.cpu_percent if host.vitals else -1.0), host.name),
    "memory": lambda host: (-(host.vitals.memory_percent if host.vitals else -1.0), host.name),
    "running": lambda host: (-float(host.running), host.name),
    "since": lambda host: (-(host.since.timestamp() if host.since else 0.0), host.name),
}


def _page(rows: list[Row], window: Window, total: int) -> Page[Row]:
    if window.descending:
        rows = rows[::-1]
    return Page(rows[window.offset : window.offset + window.limit], len(rows), total)


def _limited(chunks: list[OutputChunk], limit: int) -> list[OutputChunk]:
    taken, size = [], 0
    for chunk in chunks:
        taken.append(chunk)
        size += len(chunk.data)
        if size >= limit:
            break
    return taken
