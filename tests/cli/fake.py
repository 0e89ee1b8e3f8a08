"""The manager in memory as the command line needs it: hosts run at once what is started, speak and
end by name, and windows are short, so that readers have to ask again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.support.fake_operator.fake_operator import FakeOperator as Manager
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.tasks.task import CommandHost, Progress, Task
from tui_manager.domain.tasks.transitions import OPERATION_OF_RESULT, Operation
from tui_manager.operator.api import OutputChunk

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
_ROWS = 2  # of one window


class FakeOperator(Manager):
    """Has admitted hosts of these names. Nothing happens but what `say` and `end_on` tell."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.clock = NOW
        for name in names:
            labels = {"role": "web", "env": "prod"}
            self.add_host(name, labels=labels, cpu=(12.4,), memory=0.25, running=2, ago=timedelta())

    async def a_moment(self) -> None:
        """Lets the command under test go on."""
        await asyncio.sleep(0)

    def say(
        self,
        host: str,
        data: bytes | str,
        stream: Stream = Stream.STDOUT,
        *,
        gap: int = 0,
        task_id: int = 1,
    ) -> None:
        """`host` prints `data`, or instead of it `gap` bytes are gone."""
        execution_id = self.execution(task_id, host)
        raw = data.encode() if isinstance(data, str) else data
        self.emit(execution_id, b"\0" * gap or raw, stream)
        if gap:
            output = self.tasks[task_id].output
            output[-1] = replace(output[-1], data=b"", gap=gap)

    def end_on(
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
        transfer: Transfer | None = None,
    ) -> None:
        """The command ends on `host`."""
        self.clock = LATER
        execution_id = self.execution(task_id, host)
        rows = self.tasks[task_id].rows
        rows[execution_id] = replace(
            rows[execution_id],
            signal=signal,
            truncated_bytes=truncated_bytes,
            transfer=transfer or rows[execution_id].transfer,
        )
        code = 0 if status is CommandHostStatus.COMPLETED else exit_code
        operation = OPERATION_OF_RESULT[status]
        self.apply(execution_id, operation, reason, exit_code=code, detail=detail)

    def end_transfer(self, execution_id: str, transfer: Transfer) -> None:
        """A copy or a fetch completes on a host."""
        rows = self.task_of(execution_id).rows
        rows[execution_id] = replace(rows[execution_id], transfer=transfer)
        self.apply(execution_id, Operation.COMPLETE, exit_code=0)

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        """What is started, and not of a later batch, runs at once."""
        left_out = await super().start_task(task_id, request_id)
        for execution_id, row in list(self.tasks[task_id].rows.items()):
            if row.batch <= 1 and row.status is CommandHostStatus.PENDING:
                self.apply(execution_id, Operation.START)
        return left_out

    async def cancel_task(self, task_id: int, host_ids: Sequence[str] = ()) -> None:
        """What is canceled ends at once."""
        await super().cancel_task(task_id, host_ids)
        for row in list(self.tasks[task_id].rows.values()):
            if not row.status.ended:
                self.end_on(row.host, CommandHostStatus.CANCELED, Reason.CANCELED, task_id=task_id)

    async def get_task_progress(self, task_id: int) -> Progress:
        """After 12.3 s."""
        progress = await super().get_task_progress(task_id)
        return replace(progress, elapsed=timedelta(seconds=12.3))

    async def list_hosts(self, window: Window) -> Page[Host]:
        """A short window."""
        return await super().list_hosts(_short(window))

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        """A short window."""
        return await super().list_audit(_short(window))

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        """A short window."""
        return await super().list_tasks(_short(window), wanted)

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        """A short window."""
        return await super().list_command_hosts(task_id, _short(window), command)

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        """One chunk."""
        return await super().read_output(execution_id, stream, offset, 1)

    async def follow_output(
        self,
        task_id: int,
        after: int = 0,
        host_id: str = "",
        limit: int = 1 << 18,
        before: int = 0,
        execution_id: str = "",
    ) -> Sequence[OutputChunk]:
        """Two chunks at most."""
        found = await super().follow_output(task_id, after, host_id, limit, before, execution_id)
        return found[-2:] if before else found[:2]


def _short(window: Window) -> Window:
    return replace(window, limit=min(window.limit, _ROWS))
