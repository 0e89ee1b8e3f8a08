"""The calls of the server that sum up one task."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_task, convert_task_overview
from tui_manager.operator.socket.convert_errors import Context, answering


class TaskOverviewServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

    async def ReadLastLines(
        self, request: wire.ReadLastLinesRequest, context: Context
    ) -> wire.ReadLastLinesResponse:
        async with answering(context, "ReadLastLines"):
            lines = await self._operator.read_last_lines(
                request.task_id, tuple(request.execution_ids)
            )
            return convert_task_overview.last_lines_to_wire(lines)

    async def GetTaskMap(self, request: wire.GetTaskMapRequest, context: Context) -> wire.TaskMap:
        async with answering(context, "GetTaskMap"):
            found = await self._operator.get_task_map(request.task_id)
            return convert_task_overview.task_map_to_wire(found)

    async def FindTaskHost(
        self, request: wire.FindTaskHostRequest, context: Context
    ) -> wire.CommandHost:
        async with answering(context, "FindTaskHost"):
            row = await self._operator.find_task_host(request.task_id, request.number)
            return convert_task.command_host_to_wire(row)

    async def SummarizeFailures(
        self, request: wire.SummarizeFailuresRequest, context: Context
    ) -> wire.SummarizeFailuresResponse:
        async with answering(context, "SummarizeFailures"):
            groups = await self._operator.summarize_failures(request.task_id)
            return convert_task_overview.failures_to_wire(groups)

    async def SummarizeTasks(
        self, request: wire.SummarizeTasksRequest, context: Context
    ) -> wire.SummarizeTasksResponse:
        async with answering(context, "SummarizeTasks"):
            summaries = await self._operator.summarize_tasks(tuple(request.task_ids))
            return convert_task_overview.summaries_to_wire(summaries)
