"""The calls of the client that help to type a new task. A file of its own, as each such subject has
one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.operator import conversion
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.tasks.command_history import PastCommand


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
