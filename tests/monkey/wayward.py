"""An operator whose answers come late, in another order, or not at all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.api import Call, ForwardingOperator, Operator
from tui_manager.operator.follow_task import follow_task
from tui_manager.operator.output_calls import TaskEvent

_Reply = TypeVar("_Reply")


class WaywardOperator(ForwardingOperator):
    """Hands calls on to the fake operator.

    Args:
        told: called at once with the name and the arguments of each call.
    """

    def __init__(self, truth: FakeOperator, told: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._truth = truth
        self._told = told
        self._random = Random(0)
        self._fails = False
        self._holds = 0.0  # the share of answers that are held back
        self._held: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Operator]:
        """What the app opens."""
        yield self

    async def forward(self, call: Call[_Reply]) -> _Reply:
        self._told(call.name, call.arguments)
        await self._passes()
        if self._fails:
            raise StorageError("The disk is [b]full[/b].")
        answer = await call.on(self._truth)
        await self._passes()
        return answer

    def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        return self._truth.read_files(files, part, offset)

    def watch(self) -> AsyncIterator[Changes]:
        return self._truth.watch()

    def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        return follow_task(self, task_id, after=after, host_id=host_id, output=output)

    async def _passes(self) -> None:
        if self._random.random() < self._holds:
            held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._held.append(held)
            await held

    def make_trouble(self, kind: str, number: int) -> None:
        """From here on; `ease` ends it."""
        self._random = Random(number)
        match kind:
            case "fail":
                self._fails = True
            case "hold":
                self._holds = self._random.choice((0.3, 0.7, 1.0))
            case "cut_off":
                self._truth.end()
            case "release":
                self._release()

    def ease(self) -> None:
        """All calls are answered again, also those that still wait."""
        self._fails, self._holds = False, 0.0
        self._truth.revive()
        self._release()

    def _release(self) -> None:
        """In another order than they came."""
        held, self._held = self._held, []
        self._random.shuffle(held)
        for future in held:
            if not future.done():
                future.set_result(None)
