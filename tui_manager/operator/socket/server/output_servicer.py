"""The calls of the server that are about output, and the one that follows a task."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_output, convert_task, convert_values
from tui_manager.operator.socket.convert_errors import Context, answering
from tui_manager.operator.watching import until


class OutputServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator
    ending: asyncio.Event

    async def ReadOutput(
        self, request: wire.ReadOutputRequest, context: Context
    ) -> wire.OutputResponse:
        async with answering(context, "ReadOutput"):
            chunks = await self._operator.read_output(
                request.execution_id,
                convert_values.word(convert_values.STREAMS, request.stream),
                request.offset,
                convert_output.output_limit(request, 1 << 20),
            )
            return convert_output.chunks_to_wire(chunks)

    async def FollowOutput(
        self, request: wire.FollowOutputRequest, context: Context
    ) -> wire.OutputResponse:
        async with answering(context, "FollowOutput"):
            chunks = await self._operator.follow_output(
                request.task_id,
                request.after,
                request.host_id,
                convert_output.output_limit(request, 1 << 18),
                request.before,
                request.execution_id,
            )
            return convert_output.chunks_to_wire(chunks)

    async def FollowTask(
        self, request: wire.FollowTaskRequest, context: Context
    ) -> AsyncIterator[wire.TaskEvent]:
        async with (
            answering(context, "FollowTask"),
            aclosing(
                self._operator.follow_task(
                    request.task_id,
                    after=request.after,
                    host_id=request.host_id,
                    output=not request.without_output,
                )
            ) as events,
            until(self.ending, events) as coming,
        ):
            async for event in coming:
                yield convert_task.event_to_wire(event)

    async def ReadOutputByHost(
        self, request: wire.ReadOutputByHostRequest, context: Context
    ) -> wire.ReadOutputByHostResponse:
        async with answering(context, "ReadOutputByHost"):
            part = await self._operator.read_output_by_host(
                convert_output.wanted_from_wire(request),
                convert_output.place_from_wire(request.place),
                convert_output.output_limit(request, 1 << 18),
            )
            return convert_output.by_host_to_wire(part)

    async def SearchOutput(
        self, request: wire.SearchOutputRequest, context: Context
    ) -> wire.SearchOutputResponse:
        async with answering(context, "SearchOutput"):
            found = await self._operator.search_output(
                request.task_id,
                request.text,
                request.after,
                request.before,
                request.host_id,
                request.execution_id,
                request.stderr_only,
                request.offset,
            )
            return convert_output.matches_to_wire(found)
