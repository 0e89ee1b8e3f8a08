"""Many bare streams to an echo, each on a connection of its own as an agent's is.

`python -m bench.floors.echo_streams ADDRESS COUNT FIRST [CERTIFICATES]` answers questions: `dial`
opens all streams and makes a round trip on each, `rounds SECONDS` goes round on all as fast as they
can, `beats SECONDS EVERY` sends one message a stream every so many seconds.
"""

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Any

import grpc.aio

from bench.floors.certificates import client_credentials
from bench.floors.echo_server import METHOD
from bench.under_test.answer_questions import answer
from bench.under_test.open_files import allow_connections

_MESSAGE = bytes(120)  # about what a short command and its report take
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


class Streams:
    """The streams of one process."""

    def __init__(self, address: str, count: int, certificates: Path | None) -> None:
        """Over mutual TLS when there are certificates."""
        self._address = address
        self._credentials = client_credentials(certificates) if certificates else None
        self._count = count
        self._channels: list[grpc.aio.Channel] = []  # a channel that nobody holds closes
        self._calls: list[grpc.aio.StreamStreamCall[bytes, bytes]] = []

    async def dial(self) -> list[float]:
        """When each stream had made its first round trip, monotonic seconds."""
        return list(await asyncio.gather(*(self._open() for _ in range(self._count))))

    async def _open(self) -> float:
        channel = self._channel()
        self._channels.append(channel)
        call: Any = channel.stream_stream("/" + "/".join(METHOD))(wait_for_ready=True)
        await call.write(_MESSAGE)
        await call.read()
        self._calls.append(call)
        return time.monotonic()

    def _channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self._address, options=_OPTIONS)
        return grpc.aio.secure_channel(self._address, self._credentials, options=_OPTIONS)

    async def rounds(self, seconds: str) -> int:
        """How many round trips all streams together made within `seconds`."""
        until = time.monotonic() + float(seconds)

        async def go_round(call: Any) -> int:
            count = 0
            while time.monotonic() < until:
                await call.write(_MESSAGE)
                await call.read()
                count += 1
            return count

        return sum(await asyncio.gather(*map(go_round, self._calls)))

    async def beats(self, seconds: str, every: str) -> int:
        """How many messages all streams together sent."""
        until, pause = time.monotonic() + float(seconds), float(every)

        async def beat(call: Any) -> int:
            count = 0
            await asyncio.sleep(random.uniform(0, pause))
            while time.monotonic() < until:
                await call.write(_MESSAGE)
                await call.read()
                count += 1
                await asyncio.sleep(pause)
            return count

        return sum(await asyncio.gather(*map(beat, self._calls)))


if __name__ == "__main__":
    allow_connections(int(sys.argv[2]))
    opened = Streams(sys.argv[1], int(sys.argv[2]), Path(sys.argv[4]) if sys.argv[4:] else None)
    asyncio.run(answer({"dial": opened.dial, "rounds": opened.rounds, "beats": opened.beats}))
