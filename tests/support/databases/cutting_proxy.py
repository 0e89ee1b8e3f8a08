"""A proxy before a PostgreSQL server that ends a connection at a chosen message of the client, or
passes nothing on from there."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

_ASKS = b"QS"  # messages that the server answers: Query, Sync
_READY = b"Z\x00\x00\x00\x05"  # with which its answer ends: ReadyForQuery


class CuttingProxy:
    """Passes all on until `cut_at` or `swallow`."""

    def __init__(self, server: Path) -> None:
        """
        Args:
            server: its socket.
        """
        self._server = server
        self._cuts: list[int] = []  # at which of `messages`
        self._answered = False
        self._refuses = False
        self._ends_new = False
        self._swallowed_texts: tuple[bytes, ...] = ()
        self.swallowed = threading.Event()  # whether a message was
        self.messages = 0  # of the client, so far
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def cuts_left(self) -> int:
        """How many cuts are still to be made."""
        return len(self._cuts)

    def cut_at(self, *numbers: int, answered: bool, refuse: bool = False) -> None:
        """Ends the connection at a message of the client.

        Args:
            numbers: of the message, counted from now on; 0: the next one. Then of the message of
                the next cut, counted from there on.
            answered: the server gets the message, and its answer is lost; False: it is lost itself.
            refuse: no connection is accepted after the first cut.
        """
        at, cuts = self.messages, []
        for number in numbers:
            at += number
            cuts.append(at)
            at += 1
        self._answered, self._refuses, self._cuts = answered, refuse, cuts

    def swallow(self, *texts: bytes) -> None:
        """A connection on which a message with one of these texts is sent stays open, and passes
        nothing more to the server."""
        self._swallowed_texts = texts

    def refuse(self, *, on: bool) -> None:
        """Whether new connections are ended at once."""
        self._ends_new = on

    def end_all(self) -> None:
        """Ends all connections; new ones are accepted."""
        for one in self._sockets:
            _end(one)

    def close(self) -> None:
        """Ends all connections, and accepts no more."""
        _end(self._listening)
        self.end_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    if self._ends_new:
                        raise ConnectionRefusedError
                    server.connect(str(self._server))
                except OSError:  # the server is away
                    _end(client)
                    _end(server)
                    continue
                self._sockets += (client, server)
                line = _Line(client, server)
                for run in (self._pass_to_server, self._pass_to_client):
                    threading.Thread(target=run, args=(line,), daemon=True).start()

    def _pass_to_server(self, line: "_Line") -> None:
        with contextlib.suppress(OSError), line.client.makefile("rb") as messages:
            begin = messages.read(4)
            if len(begin) == 4:  # else the connection has ended at once
                begin += messages.read(struct.unpack("!I", begin)[0] - 4)
                if not self._swallows(line, begin):
                    line.server.sendall(begin)
            while len(head := messages.read(5)) == 5:
                message = head + messages.read(struct.unpack("!I", head[1:])[0] - 4)
                if self._swallows(line, message):
                    continue
                if not self._is_cut():
                    line.server.sendall(message)
                    continue
                if not self._answered:
                    break
                line.answer_is_lost = head[:1] in _ASKS
                line.server.sendall(message)
                if not line.answer_is_lost:
                    break
        if not line.answer_is_lost:
            line.end()

    def _swallows(self, line: "_Line", message: bytes) -> bool:
        if any(text in message for text in self._swallowed_texts):
            line.is_swallowed = True
            self.swallowed.set()
        return line.is_swallowed

    def _is_cut(self) -> bool:
        number, self.messages = self.messages, self.messages + 1
        if number not in self._cuts:
            return False
        self._cuts.remove(number)
        if self._refuses:
            _end(self._listening)
        return True

    def _pass_to_client(self, line: "_Line") -> None:
        with contextlib.suppress(OSError):
            lost = b""
            while data := line.server.recv(1 << 16):
                if not line.answer_is_lost:
                    line.client.sendall(data)
                    continue
                lost += data
                if _READY in lost:
                    break
        line.end()


class _Line:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.answer_is_lost = False
        self.is_swallowed = False

    def end(self) -> None:
        _end(self.client)
        _end(self.server)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def proxy_of(url: str) -> tuple[CuttingProxy, str]:
    """A proxy before the server of a URL, and the URL of the database through it."""
    given = conninfo_to_dict(url)
    proxy = CuttingProxy(Path(str(given["host"])) / ".s.PGSQL.5432")
    place = f"127.0.0.1:{proxy.port}/{given['dbname']}"
    return proxy, f"postgresql://{given['user']}@{place}?sslmode=disable&gssencmode=disable"


@contextlib.contextmanager
def cutting_proxy(url: str) -> Iterator[tuple[CuttingProxy, str]]:
    """The same, closed when the block is left."""
    proxy, through = proxy_of(url)
    try:
        yield proxy, through
    finally:
        proxy.close()
