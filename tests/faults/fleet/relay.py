"""A relay that understands the agents' stream: says messages twice, and out of order.

It stands where the proxy does, speaks gRPC to both sides, and knows of the protocol only which
messages are first and last: Hello, Welcome and Disconnect are passed on once and in their place.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message as ProtobufMessage
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import agent_pb2_grpc as pb_grpc

Message = TypeVar("Message", bound=ProtobufMessage)
_Order = tuple[list[Message], list[Message]]
_HELD_BACK = 0.2  # seconds that a message waits for the next one to pass it
_ONCE = ("hello", "welcome", "disconnect")
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_OF_ITS_OWN = ("grpc.use_local_subchannel_pool", 1)  # a connection for each stream, as agents do


class Relay(pb_grpc.CommandServiceServicer):
    """Passes streams on to the manager that `target` tells.

    Attributes:
        address: what agents dial.
        twice: the share of messages that are said twice, at once or soon; half as many are said
            again seconds later.
        swapped: the share of messages that wait until the next one has passed.
        done: how often which kind of message was said twice or out of order.
        hellos: what agents said first, in order.
    """

    def __init__(
        self, dice: random.Random, target: Callable[[], int], twice: float, swapped: float
    ) -> None:
        self.address = ""
        self.twice = twice
        self.swapped = swapped
        self.done: Counter[str] = Counter()
        self.hellos: list[pb.AgentMessage] = []
        self._dice = dice
        self._target = target
        self._server = grpc.aio.server(options=_OPTIONS)
        pb_grpc.add_CommandServiceServicer_to_server(self, self._server)

    async def start(self) -> None:
        """Listens on a free port."""
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        """Ends every stream."""
        await self._server.stop(0)

    async def ConnectForCommands(  # type: ignore[override]  # noqa: N802
        self, request_iterator: AsyncIterator[pb.AgentMessage], context: Any
    ) -> None:
        """One stream; ends both sides when one of them ends."""
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{self._target()}", options=(*_OPTIONS, _OF_ITS_OWN)
        ) as channel:
            call = pb_grpc.CommandServiceStub(channel).ConnectForCommands()
            pumps = [
                asyncio.create_task(self._pump(context.read, call.write, pb.AgentMessage)),
                asyncio.create_task(self._pump(call.read, context.write, pb.ManagerMessage)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                if not pumps[1].done():
                    await call.done_writing()
                    await asyncio.wait(pumps[1:], timeout=1)
            finally:
                call.cancel()
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, read: Any, write: Any, kind: type[Message]) -> None:
        held_back: list[Message] = []
        reading = asyncio.ensure_future(read())
        one_at_a_time = asyncio.Lock()
        repeating: set[asyncio.Task[None]] = set()

        async def say(message: Message, after: float = 0) -> None:
            await asyncio.sleep(after)
            async with one_at_a_time:
                await write(message)

        try:
            while True:
                await asyncio.wait({reading}, timeout=_HELD_BACK if held_back else None)
                if not reading.done():
                    now, held_back = held_back, []
                elif isinstance(message := reading.result(), kind):
                    reading = asyncio.ensure_future(read())
                    now = []
                    for single in _unfolded(message):
                        first, held_back = self._shuffle(single, held_back)
                        now += first
                else:
                    return
                for said in now:
                    await say(said)
                    if self._again(said):
                        repeating.add(asyncio.create_task(say(said, self._dice.uniform(0, 2))))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return
        finally:
            for waiting in (reading, *repeating):
                waiting.cancel()
            await asyncio.gather(reading, *repeating, return_exceptions=True)

    def _again(self, message: Message) -> bool:
        """Whether it is said once more much later, when what it was about may long be over."""
        what = str(message.WhichOneof("message"))
        again = what not in _ONCE and self._dice.random() < self.twice / 2
        self.done[f"{what} twice"] += again
        return again

    def _shuffle(self, message: Message, waiting: list[Message]) -> _Order[Message]:
        """What is said now, and what only once the next message has passed, or a while later."""
        what = str(message.WhichOneof("message"))
        if isinstance(message, pb.AgentMessage) and what == "hello":
            self.hellos.append(message)
        if what in _ONCE:
            return [message], waiting
        if self._dice.random() < self.swapped:
            self.done[f"{what} out of order"] += 1
            return waiting, [message]
        if self._dice.random() < self.twice:
            self.done[f"{what} twice"] += 1
            at_once = self._dice.random() < 0.5
            return ([message, message], waiting) if at_once else ([message, *waiting], [message])
        return [message, *waiting], []


def _unfolded(message: Any) -> Iterable[Any]:
    """What a manager says at one time, message by message."""
    if isinstance(message, pb.ManagerMessage) and message.HasField("batch"):
        return message.batch.messages
    return [message]
