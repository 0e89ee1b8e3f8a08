"""Keeps a link between managers alive: opens it, tests it, and opens it anew."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import ManagerError, UnreachableError
from tui_manager.service.core.change_feed import ChangeRate
from tui_manager.service.managers.messages.notifier import MESSAGE_MAX, WAITING_MAX, ignore
from tui_manager.storage.engine.message_link import MessageLink

log = logging.getLogger(__name__)
_SENDER = 16  # characters before each message, which say who sends it
_FRAME_MAX = _SENDER + 1 + MESSAGE_MAX
_LAST_PATIENCE = 1.0  # seconds for a link to close when the manager stops


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """How long things take at most, in seconds.

    Attributes:
        test: a link on which nothing is sent for so long is tested.
        silence: a link that did not bring back what was sent for so long is lost.
        opening: time to open a link.
        first_pause, longest_pause: the upper bounds of the pause after the first loss and after
            many. They are chosen at random below that, so that managers do not all come at once.
        proven: a link that lasted for so long was a good one: the next pause is a first one.
    """

    test: float = 3.0
    silence: float = 10.0
    opening: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 10.0
    proven: float = 30.0


class LinkNotifier:
    """Sends messages over one link after another; implements Notifier.

    A link may die and nobody says so, for example when its server was replaced by a standby. So it
    must bring back the messages of this manager; if there are none, it gets empty ones.
    """

    def __init__(self, new_link: Callable[[], MessageLink], times: LinkTimes | None = None) -> None:
        self.on_message: Callable[[bytes], None] = ignore
        self._new_link = new_link
        self._times = times or LinkTimes()
        self._sender = secrets.token_hex(_SENDER // 2).encode()
        self._waiting: deque[bytes] = deque(maxlen=WAITING_MAX)
        self._wake = asyncio.Event()
        self._problem = ""
        self._heard_at = 0.0

    @property
    def problem(self) -> str:
        """See Notifier."""
        return self._problem

    def send(self, message: bytes) -> None:
        """See Notifier."""
        if len(message) > MESSAGE_MAX or not message.isascii() or b"\0" in message:
            log.error("a message to other managers cannot be sent", extra={"bytes": len(message)})
            return
        self._waiting.append(message)
        self._wake.set()

    async def run(self) -> None:
        """See Notifier."""
        times, losses = self._times, 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._use_one_link()
            losses = 1 if loop.time() - began >= times.proven else losses + 1
            limit = min(times.first_pause * 2.0 ** min(losses - 1, 10), times.longest_pause)
            await asyncio.sleep(random.uniform(0, limit))

    async def _use_one_link(self) -> None:
        """Until it is lost. The next one is made when nothing of this one is left."""
        link = self._new_link()
        try:
            self._note_problem(await self._use(link))
        except BaseException:
            await link.close(_LAST_PATIENCE)
            raise
        await link.close(None)

    async def _use(self, link: MessageLink) -> str:
        """Sends and hears messages until the link is lost. Returns why it was."""
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def on_lost(reason: str) -> None:
            if not lost.done():
                lost.set_result(reason)

        try:
            await self._open(link, on_lost)
            return await self._exchange(link, lost)
        except ManagerError as error:
            return str(error)
        except Exception as error:  # messages are hints, and the manager works without them
            if not self._problem:
                log.exception("a link between managers failed")
            return f"{type(error).__name__}: {error}"

    async def _open(self, link: MessageLink, on_lost: Callable[[str], None]) -> None:
        try:
            async with asyncio.timeout(self._times.opening):
                await link.open(self._hear, on_lost)
        except TimeoutError:
            seconds = self._times.opening
            raise UnreachableError(f"No connection was made within {seconds:.0f} s.") from None

    async def _exchange(self, link: MessageLink, lost: "asyncio.Future[str]") -> str:
        """The same on an open link."""
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        sending = asyncio.create_task(self._send_all(link), name="messages to managers")
        either: tuple[asyncio.Future[Any], ...] = (lost, sending)
        try:
            while True:
                left = self._heard_at + self._times.silence - loop.time()
                if left <= 0:
                    return f"No message has arrived for {self._times.silence:.0f} s."
                await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    return lost.result()
                if sending.done():
                    await sending
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    async def _send_all(self, link: MessageLink) -> None:
        """Sends what waits, and an empty message first and whenever there was none for a while.
        Raises ManagerError when the link is lost."""
        loop, pace = asyncio.get_running_loop(), ChangeRate()
        message = b""
        while True:
            await link.send(self._sender + b" " + message)
            if message:
                await asyncio.sleep(pace.count(loop.time()))
            message = await self._next()

    async def _next(self) -> bytes:
        """The next message; empty: there is none, and the link is to be tested."""
        if not self._waiting:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._times.test):
                    await self._wake.wait()
        return self._waiting.popleft() if self._waiting else b""

    def _hear(self, frame: bytes) -> None:
        """Takes what came over the link, perhaps from somebody who is no manager."""
        sender, space, message = frame.partition(b" ")
        if len(frame) > _FRAME_MAX or not frame.isascii() or len(sender) != _SENDER or not space:
            return
        if sender == self._sender:
            self._note_works()
        if message:
            try:
                self.on_message(message)
            except Exception:
                log.exception("a message of a manager failed", extra={"bytes": len(message)})

    def _note_works(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if self._problem:
            log.info("managers tell each other of changes again")
        self._problem = ""

    def _note_problem(self, reason: str) -> None:
        if not self._problem:
            log.warning("managers cannot tell each other of changes", extra={"error": reason})
        self._problem = reason
