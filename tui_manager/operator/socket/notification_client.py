"""The calls of the client that are about notifications."""

from collections.abc import Sequence

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.notification import Answer, ReceiverStatus
from tui_manager.operator.conversion import convert_notification
from tui_manager.operator.socket.socket_calls import SocketCalls


class NotificationClient(SocketCalls):
    """See NotificationCalls for each call."""

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        reply = await self._call(self._stub.ListReceivers, wire.ListReceiversRequest)
        return tuple(map(convert_notification.receiver_from_wire, reply.receivers))

    async def test_receiver(self, name: str) -> Answer:
        reply = await self._call(
            self._stub.TestReceiver,
            lambda: wire.TestReceiverRequest(name=name),
            follows=True,
            unclear=f"A test may have been sent to {name}.",
        )
        return convert_notification.answer_from_wire(reply)
