"""A proxy that passes few bytes a second on, so that what is on its way can be interrupted."""

import contextlib
import socket
import threading
import time

_RATE = 6 << 20  # bytes a second, each way of each connection
_PIECE = 32 << 10  # bytes


class SlowProxy:
    """Passes on what comes.

    Attributes:
        address: of the proxy.
        slow: at this rate; if not, as fast as it can.
    """

    def __init__(self, target: str) -> None:
        """
        Args:
            target: HOST:PORT. Each connection dials it anew.
        """
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.slow = True
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends all connections, and accepts no more."""
        for one in (self._listening, *self._sockets):
            _end(one)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket()
                self._sockets += [client, server]
                try:
                    server.connect(self._target)
                except OSError:
                    _end(client)
                    continue
                for ways in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ways, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if self.slow:
                    time.sleep(len(data) / _RATE)
                target.sendall(data)
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
