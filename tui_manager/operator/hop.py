"""The operator's API from any event loop to that of the manager, in another thread, without gRPC.

grpc.aio misbehaves on event loops in more than one thread of a process, and the manager's loop is
busy where the screen's must not be: so the screen calls through this.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.health import ManagerStatus
from tui_manager.domain.host import Host
from tui_manager.domain.spec import TaskSpec
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.domain.task import CommandHost, Progress, Task, TaskDetail
from tui_manager.domain.token import NewToken, Token, TokenSpec
from tui_manager.domain.window import Page, Window
from tui_manager.operator.api import Operator, OutputChunk, TargetPreview
from tui_manager.operator.socket.watching import watching

_Reply = TypeVar("_Reply")

_LOOK = 1.0  # seconds between looks at whether the manager's loop still runs


class HoppingOperator:
    """An Operator that runs each call of `operator` on `loop`, which another thread runs.

    Cancelling a call cancels it there. Every call raises UnreachableError once the loop has
    stopped, at the latest a second after.
    """

    def __init__(self, operator: Operator, loop: asyncio.AbstractEventLoop) -> None:
        self._operator = operator
        self._loop = loop

    async def manager_status(self) -> ManagerStatus:
        """See Operator."""
        return await self._hop(self._operator.manager_status)

    async def accept_clock(self) -> bool:
        """See Operator."""
        return await self._hop(self._operator.accept_clock)

    async def list_hosts(self, window: Window) -> Page[Host]:
        """See Operator."""
        return await self._hop(lambda: self._operator.list_hosts(window))

    async def approve_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        """See Operator."""
        return await self._hop(lambda: self._operator.approve_hosts(names, all_pending=all_pending))

    async def reject_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        """See Operator."""
        return await self._hop(lambda: self._operator.reject_hosts(names, all_pending=all_pending))

    async def revoke_hosts(self, names: Sequence[str]) -> Sequence[str]:
        """See Operator."""
        return await self._hop(lambda: self._operator.revoke_hosts(names))

    async def create_token(self, spec: TokenSpec) -> NewToken:
        """See Operator."""
        return await self._hop(lambda: self._operator.create_token(spec))

    async def list_tokens(self, window: Window, everything: bool = False) -> Page[Token]:
        """See Operator."""
        return await self._hop(lambda: self._operator.list_tokens(window, everything))

    async def revoke_tokens(self, token_ids: Sequence[int]) -> Sequence[Token]:
        """See Operator."""
        return await self._hop(lambda: self._operator.revoke_tokens(token_ids))

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        """See Operator."""
        return await self._hop(lambda: self._operator.list_audit(window))

    async def list_tasks(self, window: Window) -> Page[Task]:
        """See Operator."""
        return await self._hop(lambda: self._operator.list_tasks(window))

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        """See Operator."""
        return await self._hop(lambda: self._operator.list_command_hosts(task_id, window, command))

    async def get_task(self, task_id: int) -> TaskDetail:
        """See Operator."""
        return await self._hop(lambda: self._operator.get_task(task_id))

    async def get_task_status(self, task_id: int) -> TaskStatus:
        """See Operator."""
        return await self._hop(lambda: self._operator.get_task_status(task_id))

    async def get_task_progress(self, task_id: int) -> Progress:
        """See Operator."""
        return await self._hop(lambda: self._operator.get_task_progress(task_id))

    async def preview_target(self, target: str) -> TargetPreview:
        """See Operator."""
        return await self._hop(lambda: self._operator.preview_target(target))

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        """See Operator."""
        return await self._hop(lambda: self._operator.create_task(spec, request_id))

    async def start_task(self, task_id: int, request_id: str = "") -> None:
        """See Operator."""
        await self._hop(lambda: self._operator.start_task(task_id, request_id))

    async def cancel_task(self, task_id: int) -> None:
        """See Operator."""
        await self._hop(lambda: self._operator.cancel_task(task_id))

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        """See Operator."""
        return await self._hop(
            lambda: self._operator.read_output(execution_id, stream, offset, limit)
        )

    async def follow_output(
        self, task_id: int, after: int = 0, host_id: str = "", limit: int = 1 << 18
    ) -> Sequence[OutputChunk]:
        """See Operator."""
        return await self._hop(lambda: self._operator.follow_output(task_id, after, host_id, limit))

    async def watch(self) -> AsyncIterator[Changes]:
        """See Operator. Changes that come while nobody asks fold into one."""
        slot = _Slot()
        pump = self._send(lambda: _pump(self._operator, slot))
        pump.add_done_callback(lambda _: slot.wake())
        try:
            while True:
                change = await slot.take(0 if pump.done() else _LOOK)
                if change:
                    yield change
                elif pump.done():
                    raise _why_ended(pump)
                elif not self._loop.is_running():
                    raise _ended()
        finally:
            if self._loop.is_running():
                pump.cancel()

    async def _hop(self, call: Callable[[], Coroutine[Any, Any, _Reply]]) -> _Reply:
        """Runs one call over there."""
        sent = self._send(call)
        reply = asyncio.wrap_future(sent)
        try:
            while not reply.done():
                await asyncio.wait((reply,), timeout=_LOOK)
                if not reply.done() and not self._loop.is_running():
                    raise _ended()
        finally:
            if not reply.done() and self._loop.is_running():
                reply.cancel()
            if reply.done() and not reply.cancelled():
                reply.exception()  # also of a call that fails while its caller gives it up
        # Nobody here cancelled it: the manager's loop did, on its way out.
        if reply.cancelled():
            raise _ended()
        return reply.result()

    def _send(self, call: Callable[[], Coroutine[Any, Any, _Reply]]) -> Future[_Reply]:
        # A loop that is not running would take the call and never do it.
        if not self._loop.is_running():
            raise _ended()
        coroutine = call()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:  # closed a moment ago
            coroutine.close()
            raise _ended() from error


class _Slot:
    """Holds what came from the other loop until this one takes it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changes = Changes()
        self._filled = asyncio.Event()

    def put(self, change: Changes) -> None:
        """From any thread. Raises RuntimeError when the loop of the reader is closed."""
        self._loop.call_soon_threadsafe(self._fold, change)

    def wake(self) -> None:
        """From any thread: nothing more will come."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)

    def _fold(self, change: Changes) -> None:
        self._changes |= change
        self._filled.set()

    async def take(self, seconds: float) -> Changes:
        """What came since; empty when woken, or when nothing came for so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        self._filled.clear()
        taken, self._changes = self._changes, Changes()
        return taken


async def _pump(operator: Operator, slot: _Slot) -> None:
    """Runs over there, in one task, so that cancelling it closes the operator's iterator."""
    async with watching(operator) as changes:
        async for change in changes:
            slot.put(change)


def _ended() -> UnreachableError:
    return UnreachableError("The manager has ended.")


def _why_ended(pump: Future[None]) -> BaseException:
    return _ended() if pump.cancelled() else pump.exception() or _ended()
