"""A task of a manager: starts, follows, changes and repeats it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.client.output_lines import TaskLines, lines_of
from tui_manager.client.read_lists import each_command_host
from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.status import CommandHostStatus, TaskStatus
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.operator.output_calls import NewOutput

if TYPE_CHECKING:
    from tui_manager.client.output_lines import OutputLine
    from tui_manager.domain.status import Stream
    from tui_manager.domain.tasks.task import (
        CommandHost,
        Counts,
        OutputChunk,
        Progress,
        Task,
        TaskDetail,
    )
    from tui_manager.operator.api import Operator


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task has ended.

    Attributes:
        detail: the task with its commands.
        rows: a row for each command on each host, by command and name of the host.
    """

    detail: TaskDetail
    rows: tuple[CommandHost, ...]

    @property
    def task(self) -> Task:
        """The task as lists show it."""
        return self.detail.task

    @property
    def status(self) -> TaskStatus:
        """Completed, failed or canceled."""
        return self.task.status

    @property
    def completed(self) -> bool:
        """Whether every command has completed on every host."""
        return self.status is TaskStatus.COMPLETED

    @property
    def counts(self) -> Counts:
        """How many command hosts have ended in which way."""
        return self.task.counts

    @property
    def not_completed(self) -> tuple[CommandHost, ...]:
        """The rows that ended in another way than completed."""
        return tuple(row for row in self.rows if row.status is not CommandHostStatus.COMPLETED)


class TaskHandle:
    """One task of a manager. It holds nothing of the task but its number, so that it stays of use
    after the manager was lost: each method asks again.

    All methods raise NotFoundError if there is no such task, and UnreachableError if the manager
    ends; NoAnswerError, which is one too, if it does not answer.

    Attributes:
        task_id: its number.
        left_out: hosts that its target matched when this handle started it, and that were left
            out: those in maintenance, and those of an earlier task that are gone.
    """

    def __init__(self, operator: Operator, task_id: int) -> None:
        self._operator = operator
        self.task_id = task_id
        self.left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<TaskHandle {self.task_id}>"

    async def start(self, request_id: str = "") -> None:
        """Starts a pending task. IllegalMoveError if it was started by another request."""
        self.left_out = tuple(await self._operator.start_task(self.task_id, request_id))

    async def cancel(self, *hosts: str) -> None:
        """Cancels the task, or only what it does on these hosts. It has ended when `wait`
        returns. IllegalMoveError if it has ended before."""
        await self._operator.cancel_task(self.task_id, await self._host_ids(hosts))

    async def pause(self) -> None:
        """Sends nothing more until the task is resumed; what hosts already have goes on."""
        await self._operator.pause_task(self.task_id)

    async def resume(self) -> None:
        """Ends a pause, and a hold after a batch."""
        await self._operator.resume_task(self.task_id)

    async def rerun(
        self,
        *classes: HostClass | str,
        hosts: Sequence[str] = (),
        secrets: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> TaskHandle:
        """Makes and starts a task that does the same again. This one must have ended.

        Args:
            classes: of its hosts, `"failed"`, `"unreached"`, `"unknown"`, `"completed"`; without
                classes the failed and unreached.
            hosts: exactly these hosts instead.
            secrets: the value of each secret of the task, because these are not kept.
            request_id: a UUID; the same one gives the same task, which is started once.
        """
        if isinstance(hosts, str):  # Python takes it for a list of its characters
            raise InvalidInputError("hosts", f"hosts = {hosts!r}: expected a list of names.")
        made = await self._operator.rerun_task(
            self.task_id,
            tuple(map(_host_class, classes)),
            secrets,
            request_id,
            await self._host_ids(hosts),
        )
        again = TaskHandle(self._operator, made.task_id)
        await again.start(request_id)
        return again

    async def detail(self) -> TaskDetail:
        """The task with its commands, as it is now."""
        return await self._operator.get_task(self.task_id)

    async def status(self) -> TaskStatus:
        """Only its status, as it is now."""
        return await self._operator.get_task_status(self.task_id)

    async def progress(self) -> Progress:
        """Its status, counts and times, as they are now."""
        return await self._operator.get_task_progress(self.task_id)

    def rows(self, command: int | None = None) -> AsyncIterator[CommandHost]:
        """How each command, or the one of this index, is on each host now; by command and name of
        the host."""
        return each_command_host(self._operator, self.task_id, command)

    async def chunks(self, host: str = "", *, after: int = 0) -> AsyncGenerator[OutputChunk, None]:
        """The output of the task or of one of its hosts, in the order in which it was stored, until
        the task has ended.

        Args:
            after: the `position` of the last chunk that is known.
        """
        (host_id,) = await self._host_ids((host,)) if host else ("",)
        events = self._operator.follow_task(self.task_id, after=after, host_id=host_id)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, NewOutput):
                    for chunk in event.chunks:
                        yield chunk

    async def output(
        self, host: str = "", *, stream: Stream | None = None
    ) -> AsyncGenerator[OutputLine, None]:
        """The lines that the task prints, or one of its hosts, each as soon as it is stored, from
        the first one until the task has ended.

        Args:
            stream: only lines of this stream; None: of both.
        """
        lines = TaskLines()
        async with aclosing(self.chunks(host)) as chunks:
            async for chunk in chunks:
                if stream in (None, chunk.stream):
                    for line in lines_of(chunk, lines.feed(chunk)):
                        yield line
        for line in lines.rest():
            yield line

    async def wait(self) -> TaskResult:
        """Waits until the task has ended. After an UnreachableError it can be called again. A task
        that was not started never ends."""
        events = self._operator.follow_task(self.task_id, output=False)
        async with aclosing(events):
            async for _ in events:
                pass
        return await self.result()

    async def result(self) -> TaskResult:
        """How the task is now, whether it has ended or not."""
        detail = await self._operator.get_task(self.task_id)
        return TaskResult(detail, tuple([row async for row in self.rows()]))

    async def _host_ids(self, names: Sequence[str]) -> tuple[str, ...]:
        """The ids of hosts of the task."""
        if not names:
            return ()
        ids = {row.host: row.host_id async for row in self.rows(0)}
        if unknown := [name for name in names if name not in ids]:
            raise NotFoundError(f"Task {self.task_id} has no host {unknown[0]!r}.")
        return tuple(ids[name] for name in names)


def _host_class(word: str) -> HostClass:
    try:
        return HostClass(word)
    except ValueError:
        words = ", ".join(HostClass)
        raise InvalidInputError(
            "classes", f"{word!r} is no class of hosts; there are {words}."
        ) from None
