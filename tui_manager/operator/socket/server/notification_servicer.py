"""The calls of the server that are about notifications. A file of its own, as each such subject has
one."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator.api import Operator
from tui_manager.operator.conversion import convert_notification
from tui_manager.operator.socket.convert_errors import Context, answering


class NotificationServicer:
    """Answers each call by one call of the operator."""

    _operator: Operator

    async def ListReceivers(
        self, request: wire.ListReceiversRequest, context: Context
    ) -> wire.ListReceiversResponse:
        async with answering(context, "ListReceivers"):
            found = await self._operator.list_receivers()
            return wire.ListReceiversResponse(
                receivers=map(convert_notification.receiver_to_wire, found)
            )

    async def TestReceiver(
        self, request: wire.TestReceiverRequest, context: Context
    ) -> wire.TestReceiverResponse:
        async with answering(context, "TestReceiver", request.asked_by):
            answer = await self._operator.test_receiver(request.name)
            return convert_notification.answer_to_wire(answer)
