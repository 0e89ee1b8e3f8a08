"""What carries messages between managers in tests: a server of PostgreSQL or of NATS of the test's
own. Tests of both use it in the same way."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from tests.support.databases.own_postgresql import PASSWORD, server_with_passwords, stalled
from tests.support.databases.postgresql_server import PostgresqlServer
from tests.support.databases.stalling_proxy import Streams
from tests.support.managers.nats_server import NatsServer, nats_server
from tests.support.waiting import wait_until
from tui_manager.service.managers.messages.link_notifier import LinkNotifier, LinkTimes
from tui_manager.storage.engine.message_link import MessageLink
from tui_manager.storage.engine.postgresql.connection import postgresql_address
from tui_manager.storage.engine.postgresql.listen_notify import Notifications
from tui_manager.transport.change_feed.nats_address import nats_address
from tui_manager.transport.change_feed.nats_link import NatsLink

TIMES = LinkTimes(
    test=0.05, silence=1.0, opening=20.0, first_pause=0.05, longest_pause=0.2, proven=1.0
)


class Carrier(Protocol):
    """A server, and how it is broken."""

    def new_link(self, port: int | None = None, password: str = PASSWORD) -> MessageLink:
        """A link to it.

        Args:
            port: of a proxy before it; None: its own.
        """
        ...

    async def connect(self) -> Streams:
        """A connection for a proxy."""
        ...

    def start(self) -> None:
        """Starts it again."""
        ...

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        ...

    def stalled(self) -> contextlib.AbstractContextManager[None]:
        """It answers nothing for the block, and its connections stay."""
        ...


@dataclass
class PostgresqlCarrier:
    """A server of PostgreSQL that asks for a password."""

    server: PostgresqlServer

    def new_link(self, port: int | None = None, password: str = PASSWORD) -> Notifications:
        place = f"127.0.0.1:{port or self.server.settings['port']}/tui"
        return Notifications(postgresql_address(f"postgresql://tui_manager:{password}@{place}"))

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", int(self.server.settings["port"]))

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        assert self.server.process is not None
        children = psutil.Process(self.server.process.pid).children(recursive=True)
        self.server.process.kill()  # first, else it would begin again
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children)
        self.server.stop(signal.SIGKILL)

    def stalled(self) -> contextlib.AbstractContextManager[None]:
        return stalled(self.server)


@dataclass
class NatsCarrier:
    """A server of NATS that asks for a password."""

    server: NatsServer

    def new_link(self, port: int | None = None, password: str = PASSWORD) -> NatsLink:
        place = f"127.0.0.1:{port or self.server.port}"
        return NatsLink(nats_address(f"nats://tui:{password}@{place}"), "tui-manager.test")

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        self.server.stop()

    def stalled(self) -> contextlib.AbstractContextManager[None]:
        return self.server.stalled()


@contextlib.contextmanager
def carrier(name: str) -> Iterator[Carrier]:
    """A server of "postgresql" or "nats" that runs for the block."""
    if name == "nats":
        with nats_server("--user", "tui", "--pass", PASSWORD) as server:
            yield NatsCarrier(server)
    else:
        with server_with_passwords() as postgresql:
            yield PostgresqlCarrier(postgresql)


@dataclass
class Manager:
    """A notifier that runs for the block, and what it has heard."""

    new_link: Callable[[], MessageLink]
    times: LinkTimes = TIMES
    heard: list[bytes] = field(default_factory=list)

    async def __aenter__(self) -> "Manager":
        self.notifier = LinkNotifier(self.new_link, self.times)
        self.notifier.on_message = self.heard.append
        self.task = asyncio.create_task(self.notifier.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled()

    async def all_heard(self) -> list[bytes]:
        """For `wait_until`."""
        return self.heard

    async def hears(self, message: bytes, sender: "Manager | None" = None) -> None:
        """Sends a message until it is heard here: hints may be lost.

        Args:
            sender: None: this manager itself.
        """

        async def said() -> list[bytes]:
            (sender or self).notifier.send(message)
            return self.heard

        await wait_until(said, lambda heard: message in heard)

    async def has_problem(self, text: str = "") -> str:
        """Waits for a problem with a text in it; returns it."""

        async def problem() -> str:
            return self.notifier.problem

        return await wait_until(problem, lambda found: found and text in found)

    async def works(self) -> None:
        """Waits until there is no problem, and a message is heard."""
        self.heard.clear()
        await self.hears(b"works")

        async def problem() -> str:
            return self.notifier.problem

        await wait_until(problem, lambda found: not found)
