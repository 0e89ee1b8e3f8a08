"""How a link between managers is tested and opened anew, on a clock that jumps."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tests.support.jumping_loop import run_jumping
from tui_manager.domain.errors import UnreachableError
from tui_manager.service.managers.messages.link_notifier import LinkNotifier, LinkTimes
from tui_manager.service.managers.messages.notifier import (
    MESSAGE_MAX,
    WAITING_MAX,
    NoNotifier,
    Notifier,
)

FRAME = b"0123456789abcdef "
HOUR = 3600.0


@dataclass
class Server:
    """What carries the messages of several links.

    Attributes:
        refuses: no link can be opened.
        deaf: takes messages and brings none.
        hangs: links are never opened.
        opened: when somebody tried to open a link.
        sent: when each message was sent that was not empty, and the message.
    """

    refuses: bool = False
    deaf: bool = False
    hangs: bool = False
    links: "list[Link]" = field(default_factory=list)
    opened: list[float] = field(default_factory=list)
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    closed: int = 0

    def link(self) -> "Link":
        return Link(self)

    def lose_all(self, reason: str = "It was shut down.") -> None:
        for link in list(self.links):
            link.on_lost(reason)


class Link:
    """Implements MessageLink."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.on_message: Callable[[bytes], None] = lambda _message: None
        self.on_lost: Callable[[str], None] = lambda _reason: None

    async def open(
        self, on_message: Callable[[bytes], None], on_lost: Callable[[str], None]
    ) -> None:
        self.server.opened.append(asyncio.get_running_loop().time())
        if self.server.hangs:
            await asyncio.Event().wait()
        if self.server.refuses:
            raise UnreachableError("It refuses.")
        self.on_message, self.on_lost = on_message, on_lost
        self.server.links.append(self)

    async def send(self, message: bytes) -> None:
        if said := message.partition(b" ")[2]:
            self.server.sent.append((asyncio.get_running_loop().time(), said))
        for link in () if self.server.deaf else self.server.links:
            link.on_message(message)

    async def close(self, patience: float | None) -> None:
        self.server.closed += 1
        if self in self.server.links:
            self.server.links.remove(self)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    assert not server.links  # no link is left open
    assert server.closed == len(server.opened)


class Running:
    """A notifier that runs for the block."""

    def __init__(self, server: Server, times: LinkTimes | None = None) -> None:
        self.notifier = LinkNotifier(server.link, times)
        self.heard: list[bytes] = []
        self.notifier.on_message = self.heard.append

    async def __aenter__(self) -> "Running":
        self._task = asyncio.create_task(self.notifier.run())
        await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        assert self._task.cancelled()


def test_a_message_reaches_all_managers(server: Server) -> None:
    async def test() -> None:
        async with Running(server) as one, Running(server) as other:
            one.notifier.send(b"changed")
            await asyncio.sleep(1)
            assert one.heard == other.heard == [b"changed"]
            assert one.notifier.problem == ""

    run_jumping(test())


def test_ten_messages_leave_in_a_second(server: Server) -> None:
    async def test() -> None:
        async with Running(server) as one:
            for number in range(50):
                one.notifier.send(b"%d" % number)
                await asyncio.sleep(0.02)
            await asyncio.sleep(5)

    run_jumping(test())
    times = [at for at, _ in server.sent]
    assert all(late - early > 0.999 for early, late in zip(times, times[10:], strict=False))
    assert 10 < len(times) < 50
    assert server.sent[-1][1] == b"49"


def test_the_newest_messages_wait(server: Server) -> None:
    async def test() -> None:
        async with Running(server) as one:
            for number in range(100):
                one.notifier.send(b"%d" % number)
            await asyncio.sleep(5)

    run_jumping(test())
    assert [said for _, said in server.sent] == [b"%d" % n for n in range(100 - WAITING_MAX, 100)]


def test_messages_wait_for_a_connection(server: Server) -> None:
    async def test() -> None:
        server.refuses = True
        async with Running(server) as one:
            one.notifier.send(b"changed")
            await asyncio.sleep(20)
            assert "It refuses." in one.notifier.problem
            server.refuses = False
            await asyncio.sleep(20)
            assert one.heard == [b"changed"]
            assert one.notifier.problem == ""

    run_jumping(test())


@pytest.mark.parametrize("message", [b"x" * (MESSAGE_MAX + 1), b"\0", "ä".encode()])
def test_a_wrong_message_is_not_sent(
    server: Server, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with Running(server) as one:
            one.notifier.send(message)
            one.notifier.send(b"x" * MESSAGE_MAX)
            await asyncio.sleep(1)

    run_jumping(test())
    assert [said for _, said in server.sent] == [b"x" * MESSAGE_MAX]
    assert "a message to other managers cannot be sent" in caplog.text


@pytest.mark.parametrize(
    "frame",
    [b"", b" ", FRAME, FRAME[:-1], b"short changed", FRAME + b"\xff", FRAME + b"x" * 7901],
)
def test_what_no_manager_sends_is_not_heard(server: Server, frame: bytes) -> None:
    async def test() -> None:
        async with Running(server) as one:
            server.links[0].on_message(frame)
            server.links[0].on_message(FRAME + b"changed")
            assert one.heard == [b"changed"]

    run_jumping(test())


def test_a_message_that_fails_here_ends_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with Running(server) as one:

            def fail(message: bytes) -> None:
                one.heard.append(message)
                raise ValueError("wrong")

            one.notifier.on_message = fail
            one.notifier.send(b"1")
            one.notifier.send(b"2")
            await asyncio.sleep(1)
            assert one.heard == [b"1", b"2"]
            assert one.notifier.problem == ""

    run_jumping(test())
    assert "a message of a manager failed" in caplog.text


def test_a_link_that_brings_nothing_is_opened_anew(server: Server) -> None:
    async def test() -> None:
        async with Running(server) as one:
            await asyncio.sleep(HOUR)
            assert len(server.opened) == 1  # a link that lives is kept, also if nobody says a word
            server.deaf = True
            await asyncio.sleep(11)
            assert "No message has arrived for 10 s." in one.notifier.problem
            server.deaf = False
            await asyncio.sleep(11)
            assert one.notifier.problem == ""
            assert len(server.opened) == 2

    run_jumping(test())


def test_messages_of_others_do_not_prove_a_link(server: Server) -> None:
    async def test() -> None:
        server.deaf = True
        async with Running(server) as one:
            for _ in range(15):
                await asyncio.sleep(1)
                for link in server.links:
                    link.on_message(FRAME + b"changed")
            assert one.notifier.problem

    run_jumping(test())


def test_opening_takes_no_longer_than_its_limit(server: Server) -> None:
    async def test() -> None:
        server.hangs = True
        async with Running(server) as one:
            await asyncio.sleep(31)
            assert "No connection was made within 30 s." in one.notifier.problem
            server.hangs = False
            await asyncio.sleep(31)
            assert one.notifier.problem == ""

    run_jumping(test())


def test_pauses_grow_and_are_not_the_same_for_all(server: Server) -> None:
    async def test() -> None:
        server.refuses = True
        async with Running(server):
            await asyncio.sleep(HOUR)

    run_jumping(test())
    pauses = [late - early for early, late in pairwise(server.opened)]
    assert max(pauses) <= 10
    assert HOUR / 10 < len(pauses) < HOUR / 3  # about 5 s each
    assert len(set(pauses)) > len(pauses) / 2
    assert all(pause <= 0.5 * 2**number for number, pause in enumerate(pauses[:5]))


def test_a_good_link_that_is_lost_is_opened_again_soon(server: Server) -> None:
    async def test() -> None:
        async with Running(server) as one:
            for _ in range(20):
                await asyncio.sleep(60)
                server.lose_all()
                await asyncio.sleep(0.51)
                assert one.notifier.problem == ""
            assert len(server.opened) == 21

    run_jumping(test())


def test_a_long_outage_is_two_lines_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with Running(server):
            server.refuses = True
            server.lose_all()
            await asyncio.sleep(HOUR)
            server.refuses = False
            await asyncio.sleep(60)

    with caplog.at_level(logging.INFO, "tui_manager"):
        run_jumping(test())
    lines = [record for record in caplog.records if record.name.startswith("tui_manager")]
    assert [line.getMessage() for line in lines] == [
        "managers cannot tell each other of changes",
        "managers tell each other of changes again",
    ]
    assert vars(lines[0])["error"] == "It was shut down."


def test_a_fault_of_the_client_is_a_lost_link(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_link: Link, _message: bytes) -> None:
        raise KeyError("a fault")

    async def test() -> None:
        async with Running(server) as one:
            with monkeypatch.context() as patch:
                patch.setattr(Link, "send", fail)
                await asyncio.sleep(HOUR)
                assert "KeyError" in one.notifier.problem
            await asyncio.sleep(60)
            assert one.notifier.problem == ""

    run_jumping(test())
    assert caplog.text.count("Traceback") == 1


async def test_the_only_manager_tells_nobody() -> None:
    notifier: Notifier = NoNotifier()
    notifier.on_message = lambda _message: pytest.fail("it hears something")
    notifier.send(b"changed")
    await notifier.run()
    assert notifier.problem == ""
