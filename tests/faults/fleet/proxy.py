"""A TCP proxy between agents and manager that misbehaves when it is told to."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_PIECE = 64 * 1024  # bytes
# Of the loop, in which what it has accepted last gets its transport, comes here, is aborted, and is
# closed; one more than asyncio takes.
_TURNS = 5


@dataclass(eq=False, slots=True)
class _Connection:
    """Two sockets and what moves bytes between them."""

    agent: asyncio.StreamWriter
    manager: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    def cut(self) -> None:
        for writer in (self.agent, self.manager):
            writer.transport.abort()


class Proxy:
    """Listens for agents, and dials the manager at `target` for each.

    Attributes:
        address: what agents dial.
        target: port of the manager; 0: nobody is there.
        delay: seconds that every piece is held back.
        refuses: ends what is accepted at once.
    """

    def __init__(self) -> None:
        self.address = ""
        self.target = 0
        self.delay = 0.0
        self.refuses = False
        self._open = asyncio.Event()
        self._open.set()
        self._connections: set[_Connection] = set()
        self._relaying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._stopped = False

    @property
    def port(self) -> int:
        """Of the address."""
        return int(self.address.rpartition(":")[2])

    async def start(self) -> None:
        """Listens on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Ends every connection and listens no more."""
        assert self._server is not None
        self._stopped = True
        # A server that is closed leaves what it has just accepted open.
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._server.close()
        relaying = list(self._relaying)
        for task in relaying:
            task.cancel()
        await asyncio.gather(*relaying, return_exceptions=True)
        await self._server.wait_closed()
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def cut(self) -> int:
        """Breaks every connection; returns how many."""
        for connection in list(self._connections):
            connection.cut()
        return len(self._connections)

    def half_close(self) -> int:
        """Tells the manager on every connection that its agent says no more; returns how many."""
        for connection in self._connections:
            if connection.manager.can_write_eof():
                with contextlib.suppress(OSError):
                    connection.manager.write_eof()
        return len(self._connections)

    def swallow(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._open.clear()

    def pass_on(self) -> None:
        """Everything passes again, also what was held back."""
        self._open.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses or self._stopped:  # just after it was accepted
            writer.transport.abort()
            return
        relaying = asyncio.create_task(self._relay(reader, writer))
        self._relaying.add(relaying)
        relaying.add_done_callback(self._relaying.discard)
        # Also when it is cancelled before it has begun, or while it waits.
        relaying.add_done_callback(lambda _: writer.transport.abort())

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        if self.refuses:  # meanwhile
            return
        try:
            beyond, to_manager = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, to_manager)
        self._connections.add(connection)
        connection.pumps = [
            asyncio.create_task(self._pump(reader, to_manager)),
            asyncio.create_task(self._pump(beyond, writer)),
        ]
        try:
            await asyncio.wait(connection.pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connections.discard(connection)
            connection.cut()
            for pump in connection.pumps:
                pump.cancel()
            await asyncio.gather(*connection.pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: written to after its end
            while data := await reader.read(_PIECE):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                writer.write(data)
                await writer.drain()


class Proxies:
    """The proxies of all managers of a fleet, as one.

    Attributes:
        proxies: of the managers, in their order.
    """

    def __init__(self, proxies: Sequence[Proxy]) -> None:
        self.proxies = proxies

    @property
    def address(self) -> str:
        """What agents are given to dial: all of them."""
        return ",".join(proxy.address for proxy in self.proxies)

    async def start(self) -> None:
        """All listen."""
        for proxy in self.proxies:
            await proxy.start()

    async def stop(self) -> None:
        """All end."""
        for proxy in self.proxies:
            await proxy.stop()

    def cut(self) -> int:
        """See Proxy."""
        return sum(proxy.cut() for proxy in self.proxies)

    def half_close(self) -> int:
        """See Proxy."""
        return sum(proxy.half_close() for proxy in self.proxies)

    def swallow(self) -> None:
        """See Proxy."""
        for proxy in self.proxies:
            proxy.swallow()

    def pass_on(self) -> None:
        """See Proxy."""
        for proxy in self.proxies:
            proxy.pass_on()

    @contextlib.contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Every piece is held back so long, for the block."""
        for proxy in self.proxies:
            proxy.delay = seconds
        try:
            yield
        finally:
            for proxy in self.proxies:
                proxy.delay = 0

    @contextlib.contextmanager
    def leading_to(self, other: Proxy) -> Iterator[None]:
        """Every connection that is made in the block leads to another manager; those that were
        open are cut."""
        before = [proxy.target for proxy in self.proxies]
        for proxy in self.proxies:
            proxy.target = other.target
        self.cut()
        try:
            yield
        finally:
            for proxy, target in zip(self.proxies, before, strict=True):
                proxy.target = target
