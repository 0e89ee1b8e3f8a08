"""Hosts that act by a script while a command of the program runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.cli.fake import FakeOperator


class ScriptedOperator(FakeOperator):
    """Runs its script, as a task on the command's own loop, once the first task is started."""

    def __init__(self, script: Callable[[FakeOperator], Awaitable[None]], *names: str) -> None:
        super().__init__(*names)
        self._script = script
        self._acting: asyncio.Future[None] | None = None

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        """Starts the task, and then the script."""
        left_out = await super().start_task(task_id, request_id)
        self._acting = asyncio.ensure_future(_of(self._script(self)))
        return left_out


def scripted(
    made: list[FakeOperator], script: Callable[[FakeOperator], Awaitable[None]], *names: str
) -> FakeOperator:
    """A new scripted operator, which `made` remembers."""
    made.append(ScriptedOperator(script, *names))
    return made[-1]


async def _of(acts: Awaitable[None]) -> None:
    await acts
