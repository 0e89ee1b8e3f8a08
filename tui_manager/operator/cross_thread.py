"""Calls the operator's API from any event loop on the manager's loop, which runs in another thread.

The screen uses it. Its own loop must stay free while the manager works, and gRPC cannot be used
between the two, because grpc.aio misbehaves on event loops in two threads of one process.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.api import Call, ForwardingOperator, Operator
from tui_manager.operator.follow_task import follow_task
from tui_manager.operator.output_calls import TaskEvent
from tui_manager.operator.watching import watching

_Reply = TypeVar("_Reply")

_CHECK_INTERVAL = 1.0  # seconds between checks whether the manager's loop still runs


class CrossThreadOperator(ForwardingOperator):
    """An Operator that runs each call of `operator` on `loop`, which another thread runs.

    Cancelling a call cancels it on `loop`. After `loop` has stopped, every call raises
    UnreachableError within a second.
    """

    def __init__(self, operator: Operator, loop: asyncio.AbstractEventLoop) -> None:
        self._operator = operator
        self._loop = loop

    async def forward(self, call: Call[_Reply]) -> _Reply:
        """Runs the call on the manager's loop."""
        return await self._run(lambda: call.on(self._operator))

    async def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        """See Operator."""
        pieces = self._operator.read_files(files, part, offset)
        try:
            while piece := await self._run(lambda: _next(pieces)):
                yield piece
        finally:
            if isinstance(pieces, AsyncGenerator) and self._loop.is_running():
                await self._run(lambda: _close(pieces))

    async def _run(self, call: Callable[[], Coroutine[Any, Any, _Reply]]) -> _Reply:
        """Runs a coroutine on the manager's loop."""
        sent = self._send(call)
        reply = asyncio.wrap_future(sent)
        try:
            while not reply.done():
                await asyncio.wait((reply,), timeout=_CHECK_INTERVAL)
                if not reply.done() and not self._loop.is_running():
                    raise _ended()
        finally:
            if not reply.done() and self._loop.is_running():
                reply.cancel()
            if reply.done() and not reply.cancelled():
                reply.exception()  # the caller may be cancelled; asyncio must not log the error
        # This loop did not cancel it, so the manager's loop did because it ends.
        if reply.cancelled():
            raise _ended()
        return reply.result()

    async def watch(self) -> AsyncIterator[Changes]:
        """See Operator. Changes that arrive before the caller asks are merged into one."""
        buffer = _ChangeBuffer()
        pump = self._send(lambda: _pump(self._operator, buffer))
        pump.add_done_callback(lambda _: buffer.wake())
        try:
            while True:
                change = await buffer.take(0 if pump.done() else _CHECK_INTERVAL)
                if change:
                    yield change
                elif pump.done():
                    raise _error_of(pump)
                elif not self._loop.is_running():
                    raise _ended()
        finally:
            if self._loop.is_running():
                pump.cancel()

    def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        """See Operator."""
        return follow_task(self, task_id, after=after, host_id=host_id, output=output)

    def _send(self, call: Callable[[], Coroutine[Any, Any, _Reply]]) -> Future[_Reply]:
        # A loop that is not running would accept the call and never run it.
        if not self._loop.is_running():
            raise _ended()
        coroutine = call()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:  # it was closed a moment ago
            coroutine.close()
            raise _ended() from error


class _ChangeBuffer:
    """Holds the changes from the manager's loop until the caller's loop takes them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changes = Changes()
        self._filled = asyncio.Event()

    def put(self, change: Changes) -> None:
        """From any thread. Raises RuntimeError if the caller's loop is closed."""
        self._loop.call_soon_threadsafe(self._merge, change)

    def wake(self) -> None:
        """From any thread: there will be no more changes."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)

    def _merge(self, change: Changes) -> None:
        self._changes |= change
        self._filled.set()

    async def take(self, seconds: float) -> Changes:
        """The changes since the last call; empty after `seconds` without one, and after `wake`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        self._filled.clear()
        taken, self._changes = self._changes, Changes()
        return taken


async def _next(pieces: AsyncIterator[bytes | int]) -> bytes | int:
    """The next piece; none at the end."""
    return await anext(pieces, b"")


async def _close(pieces: AsyncGenerator[Any, Any]) -> None:
    await pieces.aclose()


async def _pump(operator: Operator, buffer: _ChangeBuffer) -> None:
    """Runs on the manager's loop in one task; cancelling it closes the operator's iterator."""
    async with watching(operator) as changes:
        async for change in changes:
            buffer.put(change)


def _ended() -> UnreachableError:
    return UnreachableError("The manager has ended.")


def _error_of(pump: Future[None]) -> BaseException:
    return _ended() if pump.cancelled() else pump.exception() or _ended()
