"""The calls of the server that help to type a new task. A file of its own, as each such subject has
one."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_task
from tui_manager.operator.socket.convert_errors import Context, answering


class NewTaskServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

    async def ListCommandHistory(
        self, request: wire.ListCommandHistoryRequest, context: Context
    ) -> wire.ListCommandHistoryResponse:
        async with answering(context, "ListCommandHistory"):
            found = await self._operator.list_command_history(request.text, request.limit)
            return wire.ListCommandHistoryResponse(
                commands=map(convert_task.past_command_to_wire, found)
            )

    async def CompleteTarget(
        self, request: wire.CompleteTargetRequest, context: Context
    ) -> wire.CompleteTargetResponse:
        async with answering(context, "CompleteTarget"):
            terms = await self._operator.complete_target(request.target, request.limit)
            return wire.CompleteTargetResponse(terms=terms)
