"""Follows a task. This loop is behind `follow_task` of every Operator, except the client of the
socket, which asks its manager to run it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING

from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.operator.output_calls import NewOutput, StorageTrouble, TaskEvent
from tui_manager.operator.watching import watching

if TYPE_CHECKING:
    from tui_manager.domain.tasks.task import OutputChunk
    from tui_manager.operator.api import Operator

_OUTPUT_STEP = 1 << 20  # bytes of one event


async def follow_task(
    operator: "Operator", task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
) -> AsyncGenerator[TaskEvent, None]:
    """See `OutputCalls.follow_task`."""
    position, unread, first, trouble = after, True, True, ""
    async with watching(operator) as changes:
        async for change in changes:
            try:
                if unread or change.touches(task_id):
                    unread = True
                    # The progress first: if the task has ended now, all its output is stored.
                    progress = await operator.get_task_progress(task_id)
                    counts = progress.counts
                    begun = progress.status.ended or counts.pending < counts.total
                    if output and begun:  # what has not begun has no output
                        async for chunks in output_after(operator, task_id, position, host_id):
                            yield NewOutput(tuple(chunks))
                            position = chunks[-1].position
                    yield progress
                    if progress.status.ended:
                        return
                    unread = False
                if change.manager and not first:  # the first says that all has changed
                    now = (await operator.manager_status()).health.storage_error
                    if now != trouble:
                        trouble = now
                        yield StorageTrouble(trouble)
            except StorageError as error:
                trouble = str(error)
                yield StorageTrouble(trouble)
            first = False
    raise UnreachableError("The manager has ended.")


async def output_after(
    operator: "Operator", task_id: int, position: int, host_id: str = ""
) -> AsyncIterator[Sequence["OutputChunk"]]:
    """The stored output of a task after `position`, in the order in which it was stored, piece by
    piece."""
    while chunks := await operator.follow_output(task_id, position, host_id, _OUTPUT_STEP):
        yield chunks
        position = chunks[-1].position
