"""A proxy whose connections may die without a word, as after the failover of a server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


class StallingProxy:
    """Passes all on until `stall`."""

    def __init__(self, connect: Connect) -> None:
        """
        Args:
            connect: opens a connection to the server.
        """
        self.port = 0
        self.connections = 0  # so far
        self._connect = connect
        self._lives = asyncio.Event()  # whether the present connections pass anything on
        self._lives.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def stall(self) -> None:
        """All present connections stay open, and pass nothing on any more; new ones do."""
        self._lives.clear()
        self._lives = asyncio.Event()
        self._lives.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection of a client."""
        self.connections += 1
        from_server, to_server = await self._connect()
        self._writers += (writer, to_server)
        lives = self._lives
        for source, target in ((reader, to_server), (from_server, writer)):
            task = asyncio.create_task(_pass(source, target, lives))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Ends all connections."""
        for task in list(self._tasks):
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _pass(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, lives: asyncio.Event
) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            await lives.wait()
            target.write(data)
            await target.drain()
    target.close()


@contextlib.asynccontextmanager
async def stalling_proxy(connect: Connect) -> AsyncIterator[StallingProxy]:
    """A proxy on 127.0.0.1 for the block."""
    proxy = StallingProxy(connect)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
