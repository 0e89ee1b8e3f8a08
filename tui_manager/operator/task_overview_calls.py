"""The part of the operator's API that sums up one task for a screen; see `api.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tui_manager.domain.output.last_line import LastLine
    from tui_manager.domain.tasks.task import CommandHost
    from tui_manager.domain.tasks.task_map import FailureGroup, TaskMap, TaskSummary


class TaskOverviewCalls(Protocol):
    """What a screen shows of a task with many hosts."""

    async def read_last_lines(
        self, task_id: int, execution_ids: Sequence[str]
    ) -> Mapping[str, LastLine]:
        """The last line that each of these command hosts has printed; those without output and
        those of other tasks are left out. InvalidInputError("execution_ids") for more than 200;
        NotFoundError."""
        ...

    async def get_task_map(self, task_id: int) -> TaskMap:
        """How each host of a task stands, in the order of its rollout. NotFoundError."""
        ...

    async def find_task_host(self, task_id: int, number: int) -> CommandHost:
        """The command host that decides the letter `number` (from 0) of the map of a task.
        NotFoundError."""
        ...

    async def summarize_failures(self, task_id: int) -> Sequence[FailureGroup]:
        """The hosts on which commands failed, timed out, were skipped, or were canceled without
        proof of the kill, by the way in which; the largest group first, at most 50, each with the
        label that tells its hosts from the others. Commands that were skipped because an earlier
        one failed on the same host are left out. NotFoundError."""
        ...

    async def summarize_tasks(self, task_ids: Sequence[int]) -> Mapping[int, TaskSummary]:
        """Why tasks failed, and how far their running commands are, for the rows of a list; empty
        for a task that there is not. InvalidInputError("task_ids") for more than 100."""
        ...
