"""The calls of the client that are about output, and the one that follows a task."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.tasks.task import Progress
from tui_manager.operator import conversion
from tui_manager.operator.conversion import convert_values
from tui_manager.operator.output_calls import BEGINNING
from tui_manager.operator.socket.client.socket_calls import SocketCalls

if TYPE_CHECKING:
    from tui_manager.domain.output.output_by_host import OutputByHost, OutputPlace, WantedOutput
    from tui_manager.domain.output.output_search import OutputMatches
    from tui_manager.domain.status import Stream
    from tui_manager.operator.api import OutputChunk
    from tui_manager.operator.output_calls import TaskEvent


class OutputClient(SocketCalls):
    """See OutputCalls for each call."""

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        """A limit above 2 MiB counts as 2 MiB."""
        reply = await self._call(
            self._stub.ReadOutput,
            lambda: wire.ReadOutputRequest(
                execution_id=execution_id,
                stream=convert_values.STREAMS[stream],
                offset=offset,
                limit=limit,
            ),
            follows=True,
        )
        return tuple(map(conversion.convert_output.chunk_from_wire, reply.chunks))

    async def follow_output(
        self,
        task_id: int,
        after: int = 0,
        host_id: str = "",
        limit: int = 1 << 18,
        before: int = 0,
        execution_id: str = "",
    ) -> Sequence[OutputChunk]:
        """A limit above 2 MiB counts as 2 MiB."""
        reply = await self._call(
            self._stub.FollowOutput,
            lambda: wire.FollowOutputRequest(
                task_id=task_id,
                after=after,
                host_id=host_id,
                limit=limit,
                before=before,
                execution_id=execution_id,
            ),
            follows=True,
        )
        return tuple(map(conversion.convert_output.chunk_from_wire, reply.chunks))

    async def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        following = self._messages(
            self._stub.FollowTask,
            lambda: wire.FollowTaskRequest(
                task_id=task_id, after=after, host_id=host_id, without_output=not output
            ),
        )
        async with aclosing(following) as messages:
            async for message in messages:
                event = conversion.convert_task.event_from_wire(message)
                if event is None:
                    continue
                yield event
                if isinstance(event, Progress) and event.status.ended:
                    return

    async def read_output_by_host(
        self,
        wanted: WantedOutput,
        place: OutputPlace = BEGINNING,
        limit: int = 1 << 18,
    ) -> OutputByHost:
        """A limit above 2 MiB counts as 2 MiB."""
        reply = await self._call(
            self._stub.ReadOutputByHost,
            lambda: conversion.convert_output.by_host_request_to_wire(wanted, place, limit),
            follows=True,
        )
        return conversion.convert_output.by_host_from_wire(reply)

    async def search_output(
        self,
        task_id: int,
        text: str,
        after: int = 0,
        before: int = 0,
        host_id: str = "",
        execution_id: str = "",
        stderr_only: bool = False,
        offset: int = 0,
    ) -> OutputMatches:
        reply = await self._call(
            self._stub.SearchOutput,
            lambda: wire.SearchOutputRequest(
                task_id=task_id,
                text=text,
                after=after,
                before=before,
                host_id=host_id,
                execution_id=execution_id,
                stderr_only=stderr_only,
                offset=offset,
            ),
            follows=True,
        )
        return conversion.convert_output.matches_from_wire(reply)
