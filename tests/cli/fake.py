"""A manager in memory: an Operator whose hosts answer as a test says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.health import Health, ManagerStatus
from tui_manager.domain.host import Host, Vitals
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task import (
    Command,
    CommandHost,
    Counts,
    Progress,
    Task,
    TaskDetail,
    TaskSpec,
    ended_task_status,
)
from tui_manager.domain.window import Page, Window
from tui_manager.operator.api import OutputChunk, TargetPreview

_Row = TypeVar("_Row")

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True)


def make_host(name: str, *, online: bool = True) -> Host:
    """A host as a manager would show it."""
    return Host(
        host_id=f"id-{name}",
        name=name,
        labels={"role": "web", "env": "prod"},
        admission=Admission.ADMITTED,
        online=online,
        since=NOW,
        address="127.0.0.1:4711",
        os="Linux",
        arch="x86_64",
        agent_version="0.1.0",
        capacity=5,
        vitals=Vitals(cpu_percent=12.4, memory_used=1, memory_total=4, running=2)
        if online
        else None,
    )


class FakeOperator:
    """Keeps tasks in memory; nothing happens by itself but what `say` and `end` tell."""

    def __init__(self, *names: str) -> None:
        self.hosts = [make_host(name) for name in names]
        self.tasks: dict[int, Task] = {}
        self.specs: dict[int, TaskSpec] = {}
        self.rows: dict[int, list[CommandHost]] = {}
        self.chunks: list[OutputChunk] = []
        self.started = asyncio.Event()
        self._watchers: list[asyncio.Queue[Changes]] = []

    # ------------------------------------------------------------------ what hosts do, for tests

    def say(
        self,
        host: str,
        data: bytes | str,
        stream: Stream = Stream.STDOUT,
        *,
        gap: int = 0,
        task_id: int = 1,
    ) -> None:
        """`host` prints `data`, or loses `gap` bytes."""
        row = self._row(task_id, host)
        raw = data.encode() if isinstance(data, str) else data
        seen = [
            chunk
            for chunk in self.chunks
            if chunk.execution_id == row.execution_id and chunk.stream is stream
        ]
        offset = seen[-1].offset + (seen[-1].gap or len(seen[-1].data)) if seen else 0
        position = len(self.chunks) + 1
        self.chunks.append(
            OutputChunk(position, row.execution_id, host, 0, stream, offset, raw, gap)
        )
        self._tell(Changes(output=frozenset({task_id})))

    def end(
        self,
        host: str,
        status: CommandHostStatus = CommandHostStatus.COMPLETED,
        reason: Reason = Reason.NONE,
        *,
        task_id: int = 1,
        exit_code: int | None = None,
        signal: int | None = None,
        detail: str = "",
        truncated_bytes: int = 0,
    ) -> None:
        """The command ends on `host`, and the task with the last one."""
        rows = self.rows[task_id]
        old = self._row(task_id, host)
        sizes = {
            stream: sum(
                chunk.gap or len(chunk.data)
                for chunk in self.chunks
                if chunk.execution_id == old.execution_id and chunk.stream is stream
            )
            for stream in Stream
        }
        rows[rows.index(old)] = replace(
            old,
            status=status,
            reason=reason,
            exit_code=0 if status is CommandHostStatus.COMPLETED else exit_code,
            signal=signal,
            detail=detail,
            truncated_bytes=truncated_bytes,
            stdout_bytes=sizes[Stream.STDOUT],
            stderr_bytes=sizes[Stream.STDERR],
            finished_at=NOW + timedelta(seconds=1),
        )
        self._recount(task_id)

    async def a_moment(self) -> None:
        """Lets the command under test go on."""
        await asyncio.sleep(0)

    def _row(self, task_id: int, host: str) -> CommandHost:
        return next(row for row in self.rows[task_id] if row.host == host)

    def _recount(self, task_id: int) -> None:
        statuses = [row.status for row in self.rows[task_id]]
        numbers = {str(status): statuses.count(status) for status in CommandHostStatus}
        counts = Counts(total=len(statuses), **numbers)
        task = self.tasks[task_id]
        ended = ended_task_status(counts, canceled=task.cancel_requested_at is not None)
        self.tasks[task_id] = replace(
            task,
            counts=counts,
            status=ended or TaskStatus.RUNNING,
            finished_at=NOW + timedelta(seconds=1) if ended else None,
        )
        self._tell(Changes(tasks=frozenset({task_id})))

    def _tell(self, changes: Changes) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(changes)

    # ------------------------------------------------------------------------------ the Protocol

    async def manager_status(self) -> ManagerStatus:
        """Counts only."""
        online = sum(host.online for host in self.hosts)
        return ManagerStatus(
            "m", "0.1.0", 1, "", "127.0.0.1:7443", "insecure", NOW, False, len(self.hosts), online,
            0, 0, (), Health(),
        )  # fmt: skip

    async def list_hosts(self, window: Window) -> Page[Host]:
        """All of them, window by window."""
        return _page(self.hosts, window)

    async def list_tasks(self, window: Window) -> Page[Task]:
        """The newest first."""
        return _page([self.tasks[task_id] for task_id in sorted(self.tasks, reverse=True)], window)

    async def get_task(self, task_id: int) -> TaskDetail:
        """With its commands."""
        if task_id not in self.tasks:
            raise NotFoundError(f"There is no task {task_id}.")
        commands = tuple(
            Command(index, spec, CommandHostStatus.PENDING, Counts())
            for index, spec in enumerate(self.specs[task_id].commands)
        )
        return TaskDetail(self.tasks[task_id], commands)

    async def get_task_status(self, task_id: int) -> TaskStatus:
        """From the task."""
        return self.tasks[task_id].status

    async def get_task_progress(self, task_id: int) -> Progress:
        """After 12.3 s."""
        task = self.tasks[task_id]
        fraction = task.counts.ended / task.counts.total
        elapsed = timedelta(seconds=12.3)
        return Progress(task_id, task.status, task.counts, (task.counts,), fraction, elapsed, None)

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        """By command and name, when asked so."""
        assert window.sort == "host"
        rows = [row for row in self.rows[task_id] if command in (None, row.command)]
        return _page(sorted(rows, key=lambda row: (row.command, row.host)), window)

    async def preview_target(self, target: str) -> TargetPreview:
        """Knows @all and names joined with commas."""
        known = [host.name for host in self.hosts]
        names = known if target == "@all" else target.split(",")
        for name in names:
            if name not in known:
                raise InvalidInputError("target", f"No host is called {name!r}.")
        return TargetPreview(tuple(names), (), ",".join(names))

    async def create_task(self, spec: TaskSpec) -> int:
        """Numbers from 1."""
        task_id = len(self.tasks) + 1
        self.specs[task_id] = spec
        self.rows[task_id] = []
        self.tasks[task_id] = Task(
            task_id=task_id,
            name=spec.shown_name,
            description=spec.description,
            target=spec.target,
            status=TaskStatus.PENDING,
            counts=Counts(),
            host_count=0,
            created_by=spec.created_by,
            created_at=NOW,
            started_at=None,
            finished_at=None,
            cancel_requested_at=None,
        )
        return task_id

    async def start_task(self, task_id: int) -> None:
        """All hosts run at once."""
        task = (await self.get_task(task_id)).task
        if task.status is not TaskStatus.PENDING:
            raise IllegalMoveError(f"Task {task_id} is {task.status}; only a pending one starts.")
        names = (await self.preview_target(task.target)).hosts
        self.rows[task_id] = [
            CommandHost(
                f"{task_id}-{name}", task_id, 0, f"id-{name}", name, CommandHostStatus.RUNNING,
                Reason.NONE, "", None, None, 0, 0, 0, NOW, NOW, None, None, False, False,
            )
            for name in names
        ]  # fmt: skip
        self.tasks[task_id] = replace(task, started_at=NOW, host_count=len(names))
        self._recount(task_id)
        self.started.set()

    async def cancel_task(self, task_id: int) -> None:
        """What runs is canceled at once."""
        task = (await self.get_task(task_id)).task
        if task.status.ended:
            raise IllegalMoveError(f"Task {task_id} has ended: {task.status}.")
        self.tasks[task_id] = replace(task, cancel_requested_at=NOW)
        for row in self.rows[task_id][:]:
            if not row.status.ended:
                self.end(row.host, CommandHostStatus.CANCELED, Reason.CANCELED, task_id=task_id)

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        """One chunk at a time."""
        return [
            chunk
            for chunk in self.chunks
            if chunk.execution_id == execution_id
            and chunk.stream is stream
            and chunk.offset >= offset
        ][:1]

    async def follow_output(
        self, task_id: int, after: int = 0, host_id: str = "", limit: int = 1 << 18
    ) -> Sequence[OutputChunk]:
        """Two chunks at a time."""
        executions = {
            row.execution_id for row in self.rows[task_id] if host_id in ("", row.host_id)
        }
        return [
            chunk
            for chunk in self.chunks
            if chunk.position > after and chunk.execution_id in executions
        ][:2]

    async def watch(self) -> AsyncIterator[Changes]:
        """Everything first, then each change."""
        queue: asyncio.Queue[Changes] = asyncio.Queue()
        self._watchers.append(queue)
        try:
            yield EVERYTHING
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)


def _page(rows: Sequence[_Row], window: Window) -> Page[_Row]:
    # Windows of two rows at most, so that readers have to ask again.
    shown = rows[window.offset : window.offset + min(window.limit, 2)]
    return Page(shown, len(rows), len(rows))
