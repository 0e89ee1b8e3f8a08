"""A client of HTTP/2 frames, for what no gRPC library would send."""

import socket
import ssl
from collections.abc import Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING = 0, 1, 3, 4, 6
END_HEADERS = 4
_ACK = 1
_GIVE_UP = 60.0  # seconds; far beyond what anything here takes


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


def _text(text: str) -> bytes:
    assert len(text) < 127, "longer ones need a longer length"
    return bytes([len(text)]) + text.encode()


class RawConnection:
    """One connection, with TLS when a context is given."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=_GIVE_UP)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="manager")
        self._came = b""

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

    def frames(self) -> "list[tuple[int, int, bytes]]":
        """(kind, stream, payload) of all that comes until the other side closes.

        Raises:
            TimeoutError: it does not close.
        """
        found = []
        while True:
            while len(self._came) >= 9:
                size = int.from_bytes(self._came[:3], "big")
                if len(self._came) < 9 + size:
                    break
                kind, flags = self._came[3], self._came[4]
                stream = int.from_bytes(self._came[5:9], "big")
                payload, self._came = self._came[9 : 9 + size], self._came[9 + size :]
                found.append((kind, stream, payload))
                if kind in (SETTINGS, PING) and not flags & _ACK:
                    self._answer(frame(kind, _ACK, 0, payload if kind == PING else b""))
            try:
                data = self.socket.recv(1 << 16)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                return found
            self._came += data

    def _answer(self, data: bytes) -> None:
        try:
            self.send(data)
        except (ConnectionError, ssl.SSLError):
            return  # it closes; what it said before is still to be read


def trusting() -> ssl.SSLContext:
    """A client that believes whoever answers, and shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
