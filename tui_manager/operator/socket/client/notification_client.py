"""The calls of the client that are about notifications. A file of its own, as each such subject has
one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator import conversion
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.manager.notification import Answer, ReceiverStatus


class NotificationClient(SocketCalls):
    """See NotificationCalls for each call."""

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        reply = await self._call(self._stub.ListReceivers, wire.ListReceiversRequest)
        return tuple(map(conversion.convert_notification.receiver_from_wire, reply.receivers))

    async def test_receiver(self, name: str) -> Answer:
        reply = await self._call(
            self._stub.TestReceiver,
            lambda: wire.TestReceiverRequest(name=name),
            follows=True,
            unclear=f"A test may have been sent to {name}.",
        )
        return conversion.convert_notification.answer_from_wire(reply)
