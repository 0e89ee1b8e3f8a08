"""The calls of the server that are about output."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_output, convert_values
from tui_manager.operator.socket.convert_errors import Context, answering


class OutputServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

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
