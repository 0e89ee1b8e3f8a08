"""A webhook: what is sent, what comes back, and servers that misbehave."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from tests.support.databases.tls_front import make_certificate
from tests.support.http_receiver import serving
from tui_manager.domain.manager.notification import Answer, Event, Outcome, Webhook
from tui_manager.receivers import webhook as module
from tui_manager.receivers.signature import read_key, sign
from tui_manager.receivers.webhook import WebhookPost

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONG = timedelta(minutes=5)
BODY = b'{"event":"task_failed"}'
ID = "5f6f0b0a-0000-4000-8000-000000000001"


@contextlib.contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def post(url: str, limit: timedelta = LONG, **given: Any) -> WebhookPost:
    made = Webhook("chat", url, (Event.TASK_FAILED,), time_limit=limit, **given)
    return WebhookPost(made, lambda: NOW)


async def send(way: WebhookPost) -> Answer:
    return await way.send("task_failed", ID, BODY)


async def test_the_event_is_posted_with_its_signature(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    with serving(204) as server:
        answer = await send(post(server.url, key_file=key))
    assert answer == Answer(Outcome.DELIVERED, "HTTP status 204")
    ((path, headers, body),) = server.requests
    assert (path, body) == ("/T0/s3cret?a=b", BODY)
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == ID
    stamp = int(headers["webhook-timestamp"])
    assert stamp == int(NOW.timestamp())
    assert headers["webhook-signature"] == sign(read_key(key), ID, stamp, BODY)


def test_the_signature_is_that_of_standard_webhooks(tmp_path: Path) -> None:
    """The example of its specification."""
    key = tmp_path / "key"
    key.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = sign(read_key(key), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("text", "wrong"),
    [(b"", "it is empty"), (b"\n", "it is empty"), (b"whsec_!", "what follows whsec_ is not bas")],
)
async def test_a_key_that_cannot_be_used_is_a_failure(
    tmp_path: Path, text: bytes, wrong: str
) -> None:
    key = tmp_path / "key"
    key.write_bytes(text)
    answer = await send(post("http://127.0.0.1:1/", key_file=key))
    assert answer.outcome is Outcome.FAILED
    assert wrong in answer.text


async def test_nothing_is_sent_without_the_key(tmp_path: Path) -> None:
    with serving(204) as server:
        answer = await send(post(server.url, key_file=tmp_path / "no"))
    assert answer.text == "its key file cannot be used: No such file or directory"
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (302, Outcome.FAILED),
        (400, Outcome.REFUSED),
        (408, Outcome.FAILED),
        (410, Outcome.REFUSED),
        (425, Outcome.FAILED),
        (429, Outcome.FAILED),
        (500, Outcome.FAILED),
        (503, Outcome.FAILED),
    ],
)
async def test_the_status_decides(status: int, outcome: Outcome) -> None:
    with serving(status, location="http://127.0.0.1:1/") as server:
        answer = await send(post(server.url))
    assert answer.outcome is outcome
    assert answer.text.startswith(f"HTTP status {status}")
    assert "s3cret" not in answer.text
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("120", timedelta(minutes=2)),
        ("Fri, 02 Jan 2026 03:05:05 GMT", timedelta(minutes=1)),
        ("Fri, 02 Jan 2026 03:00:00 GMT", timedelta(0)),
        ("9" * 400, timedelta(seconds=10**6)),
        ("soon", None),
        ("-1", None),
    ],
)
async def test_a_server_can_ask_for_a_pause(header: str, pause: timedelta | None) -> None:
    with serving(503, retry_after=header) as server:
        assert (await send(post(server.url))).retry_after == pause


async def test_a_user_in_the_url_is_sent_as_basic_authentication() -> None:
    with serving(200) as server:
        url = server.url.replace("127.0.0.1", "ann:p%40ss@127.0.0.1")
        await send(post(url))
    assert server.requests[0][1]["authorization"] == "Basic YW5uOnBAc3M="


def _tls(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The certificate of an authority, which is that of `localhost` too, and TLS with it."""
    authority, key = folder / "server.crt", folder / "server.key"
    make_certificate(authority, key, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    return authority, context


def _never(connection: socket.socket) -> None:
    connection.recv(1 << 20)
    while connection.recv(1 << 20):
        pass


def _drip(text: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.settimeout(0.02)
        for letter in text:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1 << 20):
                    return
            connection.sendall(bytes([letter]))

    return talk


@pytest.mark.parametrize(
    ("talk", "scheme"),
    [
        (_never, "http"),
        (_drip(b"HTTP/1.1 200 " + b"O" * 10_000), "http"),
        (_drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000), "http"),
        (_never, "https"),
        (_drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\x03" * 10_000), "https"),
    ],
    ids=["never", "status", "headers", "no handshake", "handshake"],
)
async def test_a_server_that_is_too_slow_is_left_at_the_time_limit(
    talk: Callable[[socket.socket], None], scheme: str
) -> None:
    with talking(talk) as url:
        way = post(url.replace("http", scheme), timedelta(milliseconds=300))
        answer = await send(way)
        assert answer.outcome is Outcome.FAILED
        assert "within 300ms" in answer.text or "in time" in answer.text
        for thread in way._threads:  # its socket was closed, which ends it
            await asyncio.to_thread(thread.join)


async def test_a_server_with_tls_that_drips_is_left_too(tmp_path: Path) -> None:
    authority, context = _tls(tmp_path)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            drip = _drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000)
            drip(secure)

    with talking(talk) as url:
        url = url.replace("http://127.0.0.1", "https://localhost")
        way = post(url, timedelta(seconds=1), ca_file=authority)
        for _ in range(2):  # the thread of the first try does not keep the second one from trying
            answer = await send(way)
            assert "within 1s" in answer.text or "in time" in answer.text
            for thread in way._threads:
                await asyncio.to_thread(thread.join)


async def test_a_body_without_end_is_not_read() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 20)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"5\r\nhello\r\n")

    with talking(talk) as url:
        assert (await send(post(url))).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    "said",
    [b"", b"\xff\xfe\x00", b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x" * 99999],
)
async def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 20)
        connection.sendall(said)

    with talking(talk) as url:
        answer = await send(post(url))
    assert answer.outcome is Outcome.FAILED
    assert answer.text


async def test_a_try_that_is_cancelled_leaves_no_connection() -> None:
    gone = threading.Event()
    came = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 20)
        came.set()
        _never(connection)
        gone.set()

    with talking(talk) as url:
        sending = asyncio.ensure_future(send(post(url)))
        await asyncio.to_thread(came.wait)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await asyncio.to_thread(gone.wait, 60)


async def test_a_port_that_nobody_serves_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    answer = await send(post(f"http://127.0.0.1:{port}/s3cret"))
    assert answer == Answer(Outcome.FAILED, "it cannot be reached: Connection refused")


async def test_a_lookup_that_hangs_holds_no_more_than_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> None:
        release.wait()
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    way = post("http://chat.example.org/", timedelta(milliseconds=50))
    try:
        assert (await send(way)).text == "it has not answered within 50ms"
        assert "has not ended" in (await send(way)).text
    finally:
        release.set()
    for thread in way._threads:
        await asyncio.to_thread(thread.join)
    assert (await send(post("http://chat.example.org/"))).text == "its name cannot be looked up"


async def test_a_server_is_trusted_by_its_authority_and_its_name(tmp_path: Path) -> None:
    authority, context = _tls(tmp_path)
    with serving(200, tls=context) as server:
        good = f"https://localhost:{server.port}/"
        assert (await send(post(good, ca_file=authority))).outcome is Outcome.DELIVERED
        unknown = await send(post(good))
        other = await send(post(f"https://127.0.0.1:{server.port}/", ca_file=authority))
    assert unknown.text.startswith("its certificate is not trusted: self-signed certificate")
    assert other.text.startswith("its certificate is not trusted: ")
    assert len(server.requests) == 1


def test_the_socket_is_known_before_it_is_read() -> None:
    """If this fails after an update of urllib3, `_new_conn` has got another name: find what opens
    the socket of a connection now, and override that."""
    assert "_new_conn" in vars(HTTPConnection)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        noted = module._Post(Webhook("chat", "http://x/", ()), ID, BODY, lambda: NOW)
        port = listening.getsockname()[1]
        connection = module._Plain(noted, "127.0.0.1", port, timeout=60)
        connection.connect()
        connection.close()
        (sock,) = noted._sockets
        sock.close()
