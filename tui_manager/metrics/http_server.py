"""A small HTTP server with a loop of its own in a thread of its own, so that neither a slow reader
nor a flood of connections takes time of the manager's loop. It knows paths, not metrics.

Anybody who can reach the port can connect, so all is bounded: connections, the bytes and the time
of a request, the time of an answer. Each connection carries one request.
"""

import asyncio
import contextlib
import logging
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from http import HTTPStatus

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import split_address

log = logging.getLogger(__name__)
CONNECTIONS = 16  # at a time; one more is closed at once
REQUEST_MAX = 16 * 1024  # bytes of a request
REQUEST_TIMEOUT = 5.0  # seconds for a whole request
ANSWER_TIMEOUT = 10.0  # seconds in which the whole answer must be read
_BACKLOG = 32  # connections that wait to be accepted
_CONTROL = re.compile(r"[^\t\x20-\xff]")
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = TEXT


# Answers a GET of one path. It is given the header `Accept`, empty if there is none.
Page = Callable[[str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; shorter in tests."""

    request: float = REQUEST_TIMEOUT
    answer: float = ANSWER_TIMEOUT


class _BadRequestError(Exception):
    """A request that is refused, with the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.answer = Answer(f"{status.phrase}\n".encode(), status)


class _Connections:
    """Answers the connections of one server, on the server's loop."""

    def __init__(self, pages: Mapping[str, Page], timeouts: Timeouts) -> None:
        self._pages = pages
        self._timeouts = timeouts
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers a new connection in a task of its own."""
        if len(self._running) >= CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def end(self) -> None:
        """Ends all of them."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                body_wanted, answer = await self._answer(reader)
                async with asyncio.timeout(self._timeouts.answer):
                    writer.write(_head(answer) + (answer.body if body_wanted else b""))
                    writer.close()
                    await writer.wait_closed()
        except Exception:
            log.exception("a request for metrics could not be answered")
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[bool, Answer]:
        """The answer to the request that comes, and whether its body is sent."""
        try:
            async with asyncio.timeout(self._timeouts.request):
                method, path, accept = await _read_request(reader)
        except _BadRequestError as error:
            return True, error.answer
        page = self._pages.get(path)
        if page is None:
            there = f"{HTTPStatus.NOT_FOUND.phrase}. There is: {', '.join(self._pages)}\n"
            return True, Answer(there.encode(), HTTPStatus.NOT_FOUND)
        return method == "GET", await page(accept)


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, str]:
    """Method, path and `Accept` of a request; raises _BadRequestError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    well_formed = len(words) == 3 and words[2].startswith("HTTP/1.")
    if not well_formed or _CONTROL.search("".join(lines)):
        raise _BadRequestError(HTTPStatus.BAD_REQUEST)
    if words[0] not in ("GET", "HEAD"):
        raise _BadRequestError(HTTPStatus.METHOD_NOT_ALLOWED)
    headers = (line.partition(":") for line in lines)
    accept = [value.strip() for name, _, value in headers if name.lower() == "accept"]
    return words[0], words[1].partition("?")[0], ",".join(accept)


def _head(answer: Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def listen(address: str, setting: str) -> tuple[socket.socket, str]:
    """A socket that listens, and its address with the real port. May wait for a name server.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        setting: that names the address.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, place = found[0]
        listening = socket.create_server(
            place,
            family=family,
            backlog=_BACKLOG,
            # `[::]` is every address of the machine, as it is for agents.
            dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise InvalidInputError(
            setting,
            f"Cannot listen on {address}: {error.strerror or error}. Name another address with "
            f"--{setting}.",
        ) from error
    listening.setblocking(False)
    return listening, f"{address.rpartition(':')[0]}:{listening.getsockname()[1]}"


class HttpServer:
    """Answers requests on a socket that listens. Takes the socket, and closes it."""

    def __init__(
        self, listening: socket.socket, pages: Mapping[str, Page], timeouts: Timeouts
    ) -> None:
        """`pages`: by path; they are called on the loop of the server's thread."""
        self._listening = listening
        self._connections = _Connections(pages, timeouts)
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Starts the thread, and waits until it answers."""
        self._thread.start()
        self._ready.result()

    def stop(self) -> None:
        """Ends all connections and the thread, and waits for that."""
        loop, stop = self._ready.result()
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has failed
            loop.call_soon_threadsafe(stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.done():
                log.exception("the server of metrics has failed")
            else:
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(
            self._connections.begin, sock=self._listening, limit=REQUEST_MAX
        )
        self._ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()
        await self._connections.end()
