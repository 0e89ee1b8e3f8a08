"""Follows a task while it runs: what it prints, how far it is, and what the database says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from tui_manager.client.read_lists import output_after
from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.domain.frozen_dataclass import dataclass
from tui_manager.domain.tasks.task import OutputChunk, Progress
from tui_manager.operator.watching import watching

if TYPE_CHECKING:
    from tui_manager.operator.api import Operator


@dataclass(frozen=True, slots=True)
class StorageTrouble:
    """The database cannot be read or written now.

    Attributes:
        text: what is wrong; empty: it works again.
    """

    text: str


TaskEvent = OutputChunk | Progress | StorageTrouble


async def follow_task(
    operator: Operator,
    task_id: int,
    *,
    after: int = 0,
    host_id: str = "",
    output: bool = True,
) -> AsyncGenerator[TaskEvent, None]:
    """What happens with a task, until it has ended: first the output that is stored already, then
    what is new.

    Each Progress comes after the output that was stored before it. The last event is the Progress
    of the ended task. While the database cannot be read, it waits.

    Args:
        after: the position of the output that is known.
        host_id: only output of this host; empty: of all.
        output: False: none at all.

    Raises:
        NotFoundError: there is no such task.
        UnreachableError: the manager has ended, or does not answer.
    """
    position, unread, first = after, True, True
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
                        async for chunk in output_after(operator, task_id, position, host_id):
                            yield chunk
                            position = chunk.position
                    yield progress
                    if progress.status.ended:
                        return
                    unread = False
                if change.manager and not first:  # the first says that all has changed
                    status = await operator.manager_status()
                    yield StorageTrouble(status.health.storage_error)
            except StorageError as error:
                yield StorageTrouble(str(error))
            first = False
    raise UnreachableError("The manager has ended.")
