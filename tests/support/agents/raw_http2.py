"""A client of HTTP/2 frames, for what no gRPC library would send."""

import socket
import ssl
from collections.abc import Sequence

from google.protobuf.message import Message

from tests.support.waiting import GIVE_UP

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_HEADERS = 4
_ACK = 1
_HEAD = 9  # bytes of a frame before its payload
_WINDOW = 65_535  # bytes that may be sent before the other side says more
_INITIAL_WINDOW = b"\0\4"  # the setting that says so for each stream

Frame = tuple[int, int, bytes]  # kind, stream, payload


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def call(path: str, stream: int = 1, more: Sequence[tuple[str, str]] = ()) -> bytes:
    """The headers of a gRPC call, none of them compressed."""
    headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "manager"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *more,
    ]
    payload = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)
    return frame(HEADERS, END_HEADERS, stream, payload)


def message(content: Message) -> bytes:
    """A gRPC message, as DATA frames carry it."""
    data = content.SerializeToString()
    return b"\0" + len(data).to_bytes(4, "big") + data


def _text(text: str) -> bytes:
    assert len(text) < 127, "longer ones need a longer length"
    return bytes([len(text)]) + text.encode()


class RawConnection:
    """One connection, with TLS when a context is given.

    Attributes:
        answers_pings: as any client does that runs.
    """

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=GIVE_UP)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="manager")
        self._came = b""
        self.closed, self.answers_pings = False, True
        self._windows = {0: _WINDOW, 1: _WINDOW}  # bytes that may be sent, by stream; 0: altogether

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self.socket.sendall(data)

    def open(self) -> None:
        """Says what HTTP/2 begins with."""
        self.send(PREFACE + frame(SETTINGS))

    def frames(self) -> list[Frame]:
        """All that comes until the other side closes. Raises TimeoutError when it does not."""
        found: list[Frame] = []
        while not self.closed:
            found += self.receive()
        return found

    def pour(self, size: int, most: int) -> int:
        """Sends a message that claims to have `size` bytes on stream 1, until it is refused or
        `most` bytes of it are sent; returns how many were."""
        sent, data = 0, b"\0" + size.to_bytes(4, "big")
        while sent < most and not self.closed:
            room = min(16_384, *self._windows.values())
            if room <= 0:
                if any(kind in (HEADERS, RESET, GOAWAY) for kind, *_ in self.receive()):
                    break
                continue
            data = data.ljust(room, b"x")
            self.send(frame(DATA, 0, 1, data[:room]))
            for stream in self._windows:
                self._windows[stream] -= room
            sent, data = sent + room, b""
        return sent

    def receive(self) -> list[Frame]:
        """What comes next; nothing when the other side has closed."""
        try:
            data = self.socket.recv(1 << 16)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.closed = not data
        self._came += data
        found: list[Frame] = []
        while len(self._came) >= _HEAD:
            size = int.from_bytes(self._came[:3], "big")
            if len(self._came) < _HEAD + size:
                break
            kind, flags = self._came[3], self._came[4]
            stream = int.from_bytes(self._came[5:_HEAD], "big")
            payload, self._came = self._came[_HEAD : _HEAD + size], self._came[_HEAD + size :]
            found.append((kind, stream, payload))
            self._obey(kind, flags, stream, payload)
        return found

    def _obey(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW and stream in self._windows:
            self._windows[stream] += int.from_bytes(payload, "big")
        if kind not in (SETTINGS, PING) or flags & _ACK:
            return
        if kind == PING and not self.answers_pings:
            return
        for at in range(0, len(payload) if kind == SETTINGS else 0, 6):
            if payload[at : at + 2] == _INITIAL_WINDOW:
                self._windows[1] += int.from_bytes(payload[at + 2 : at + 6], "big") - _WINDOW
        try:
            self.send(frame(kind, _ACK, 0, payload if kind == PING else b""))
        except (ConnectionError, ssl.SSLError):
            return  # it closes; what it said before is still to be read


def trusting() -> ssl.SSLContext:
    """A client that believes whoever answers, and shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
