"""The calls of the client that help to type a new task, and those that sum up one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator import conversion
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.output.last_line import LastLine
    from tui_manager.domain.tasks.command_history import PastCommand
    from tui_manager.domain.tasks.task import CommandHost
    from tui_manager.domain.tasks.task_map import FailureGroup, TaskMap, TaskSummary


class NewTaskClient(SocketCalls):
    """See NewTaskCalls for each call."""

    async def list_command_history(self, text: str, limit: int) -> Sequence[PastCommand]:
        reply = await self._call(
            self._stub.ListCommandHistory,
            lambda: wire.ListCommandHistoryRequest(text=text, limit=limit),
        )
        return tuple(map(conversion.convert_task.past_command_from_wire, reply.commands))

    async def complete_target(self, target: str, limit: int) -> Sequence[str]:
        reply = await self._call(
            self._stub.CompleteTarget,
            lambda: wire.CompleteTargetRequest(target=target, limit=limit),
        )
        return tuple(reply.terms)


class TaskOverviewClient(SocketCalls):
    """See TaskOverviewCalls for each call."""

    async def read_last_lines(
        self, task_id: int, execution_ids: Sequence[str]
    ) -> Mapping[str, LastLine]:
        reply = await self._call(
            self._stub.ReadLastLines,
            lambda: wire.ReadLastLinesRequest(task_id=task_id, execution_ids=execution_ids),
        )
        return conversion.convert_task_overview.last_lines_from_wire(reply)

    async def get_task_map(self, task_id: int) -> TaskMap:
        reply = await self._call(
            self._stub.GetTaskMap, lambda: wire.GetTaskMapRequest(task_id=task_id)
        )
        return conversion.convert_task_overview.task_map_from_wire(reply)

    async def find_task_host(self, task_id: int, number: int) -> CommandHost:
        reply = await self._call(
            self._stub.FindTaskHost,
            lambda: wire.FindTaskHostRequest(task_id=task_id, number=number),
        )
        return conversion.convert_task.command_host_from_wire(reply)

    async def summarize_failures(self, task_id: int) -> Sequence[FailureGroup]:
        reply = await self._call(
            self._stub.SummarizeFailures, lambda: wire.SummarizeFailuresRequest(task_id=task_id)
        )
        return tuple(map(conversion.convert_task_overview.failure_group_from_wire, reply.groups))

    async def summarize_tasks(self, task_ids: Sequence[int]) -> Mapping[int, TaskSummary]:
        reply = await self._call(
            self._stub.SummarizeTasks, lambda: wire.SummarizeTasksRequest(task_ids=task_ids)
        )
        return conversion.convert_task_overview.summaries_from_wire(reply)
