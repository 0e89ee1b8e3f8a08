"""An HTTP server that receives webhooks."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """An HTTP server that answers with these statuses, one after the other, and then the last.

    Attributes:
        gate: while it is not set, nobody gets an answer.
    """

    statuses: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/T0/s3cret?a=b"


@contextlib.contextmanager
def serving(*statuses: int, tls: ssl.SSLContext | None = None, **headers: str) -> Iterator[Server]:
    """Serves on a free port.

    Args:
        headers: of each answer; `retry_after` is `retry-after`.
    """
    server = Server(list(statuses), {name.replace("_", "-"): v for name, v in headers.items()})
    server.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append((self.path, seen, body))
            server.gate.wait()
            left = server.statuses
            with contextlib.suppress(OSError):  # the client has gone
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            http.shutdown()
            thread.join()
