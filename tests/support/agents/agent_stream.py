"""A raw agent's end of the command stream, for what a real agent would never say."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1.agent_pb2_grpc import CommandServiceStub

from tui_manager import __version__

# As the real agent has them: a connection for each stream, and no more bytes are on their way to a
# reader who reads nothing than HTTP/2 allows at first.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))


class AgentStream:
    """Writes messages and reads answers one by one, out of their batches."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._read: deque[pb.ManagerMessage] = deque()
        self._one_write = asyncio.Lock()  # gRPC takes one write of a stream at a time

    async def hello(self, name: str, **given: Any) -> pb.ManagerMessage:
        """Says Hello and returns the first answer."""
        await self.write(pb.AgentMessage(hello=hello(name, **given)))
        return await self.read()

    async def report(self, **given: Any) -> None:
        """Sends a Report."""
        await self.write(pb.AgentMessage(report=pb.Report(**given)))

    async def write(self, message: pb.AgentMessage) -> None:
        """Sends a message once the writes before it have ended."""
        async with self._one_write:
            await self.call.write(message)

    async def read(self) -> pb.ManagerMessage:
        """The next message of the manager."""
        if not self._read:
            message = await self.call.read()
            assert isinstance(message, pb.ManagerMessage), f"the stream ended: {message!r}"
            self._read += message.batch.messages if message.HasField("batch") else [message]
        return self._read.popleft()

    async def read_until(self, field: str) -> pb.ManagerMessage:
        """The next message of one kind; others before it are passed over."""
        while not (message := await self.read()).HasField(field):  # type: ignore[arg-type]
            pass
        return message

    async def ended(self) -> bool:
        """Reads to the end of the stream."""
        while isinstance(await self.call.read(), pb.ManagerMessage):
            pass
        return True

    async def leave(self) -> None:
        """Closes the agent's side in order, and waits for the other."""
        await self.call.done_writing()
        await self.ended()


def hello(name: str, **given: Any) -> pb.Hello:
    """A Hello of a host called `name`."""
    values: dict[str, Any] = {
        "protocol_version": 1,
        "agent_version": __version__,
        "journal_id": f"journal-{name}",
        "machine_id": f"machine-{name}",
        "boot_id": "boot",
        "instance_id": str(uuid.uuid4()),
        "hostname": name,
        "os": "Linux",
        "arch": "x86_64",
        "capacity": 5,
    }
    return pb.Hello(**{**values, **given})


@contextlib.asynccontextmanager
async def dial(address: str) -> AsyncIterator[AgentStream]:
    """One stream to the command port at `address`, on a connection of its own."""
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        call = CommandServiceStub(channel).ConnectForCommands()
        try:
            yield AgentStream(call)
        finally:
            call.cancel()
