"""The HTTP server of metrics: what it answers, and what slow or hostile clients cannot do."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from tests.metrics.scraping import request
from tests.support.waiting import wait_until
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import split_address
from tui_manager.metrics import http_server
from tui_manager.metrics.http_server import Answer, HttpServer, Timeouts, listen

BIG = b"x" * (32 << 20)  # bytes: more than the buffers of a connection take


@contextlib.asynccontextmanager
async def served(**seconds: float) -> AsyncIterator[str]:
    """A server with a few pages; its address."""

    async def page(accept: str) -> Answer:
        return Answer(f"accepts {accept}".encode(), content_type="text/x")

    async def big(_accept: str) -> Answer:
        return Answer(BIG)

    async def broken(_accept: str) -> Answer:
        raise RuntimeError("of the test")

    listening, address = listen("127.0.0.1:0", "metrics")
    pages = {"/page": page, "/big": big, "/broken": broken}
    server = HttpServer(listening, pages, Timeouts(**{"request": 30.0, "answer": 30.0, **seconds}))
    server.start()
    try:
        yield address
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_page_is_answered_with_its_type_and_length() -> None:
    async with served() as address:
        sent = b"GET /page?a=1 HTTP/1.1\r\nHost: x\r\nACCEPT: a/b\r\nAccept: c/d\r\n\r\n"
        status, headers, body = await request(address, sent)
        assert (status, body) == (200, b"accepts a/b,c/d")
        assert (headers["Content-Type"], headers["Content-Length"]) == ("text/x", "15")
        status, headers, body = await request(address, b"HEAD /page HTTP/1.0\r\n\r\n")
        assert (status, headers["Content-Length"], body) == (200, "8", b"")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", HTTPStatus.NOT_FOUND),
        (b"GET /page/../page HTTP/1.1\r\n\r\n", HTTPStatus.NOT_FOUND),
        (b"POST /page HTTP/1.1\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"GET /page\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"\x16\x03\x01\x00\xff\r\n\r\n", HTTPStatus.BAD_REQUEST),  # TLS
        (b"GET /page HTTP/1.1\r\nAccept: a\nb\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"PRI * HTTP/2.0\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (
            b"GET /page HTTP/1.1\r\nx: " + b"y" * http_server.REQUEST_MAX + b"\r\n\r\n",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
    ],
)
async def test_other_requests_are_refused(sent: bytes, status: HTTPStatus) -> None:
    async with served() as address:
        assert (await request(address, sent))[0] == status


async def test_an_unknown_path_is_told_those_that_there_are() -> None:
    async with served() as address:
        status, _, body = await request(address, b"GET / HTTP/1.1\r\n\r\n")
    assert (status, body) == (404, b"Not Found. There is: /page, /big, /broken\n")


async def test_a_client_that_says_too_little_is_cut_off() -> None:
    async with served(request=0.01) as address:
        reader, writer = await asyncio.open_connection(*split_address(address))
        writer.write(b"GET /page HTTP/1.1\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then, nobody else gets the only connection that there is."""
    monkeypatch.setattr(http_server, "CONNECTIONS", 1)
    async with served(answer=0.01) as address:
        _, slow = await asyncio.open_connection(*split_address(address))
        slow.transport.pause_reading()  # type: ignore[attr-defined]
        slow.write(b"GET /big HTTP/1.1\r\n\r\n")
        await wait_until(lambda: _status(address), lambda status: status == 200)
        slow.transport.abort()


async def _status(address: str) -> int:
    """Of a page; 0: the server has closed the connection."""
    try:
        return (await request(address, "/page"))[0]
    except (ConnectionError, IndexError):
        return 0


async def test_an_error_of_a_page_ends_its_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served() as address:
        reader, writer = await asyncio.open_connection(*split_address(address))
        writer.write(b"GET /broken HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert (await request(address, "/page"))[0] == 200
    assert "a request for metrics could not be answered" in caplog.text


async def test_connections_are_bounded_and_the_rest_is_closed() -> None:
    async with served() as address:
        silent = [
            await asyncio.open_connection(*split_address(address))
            for _ in range(http_server.CONNECTIONS)
        ]
        reader, writer = await asyncio.open_connection(*split_address(address))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        for _, one in [*silent, (reader, writer)]:
            one.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="IPv6 is switched off here")
def test_every_address_is_of_both_families() -> None:
    listening, address = listen("[::]:0", "metrics")
    port = split_address(address)[1]
    with listening, socket.create_connection(("127.0.0.1", port)):
        assert address == f"[::]:{port}"


def test_an_address_that_is_taken_is_named() -> None:
    taken, address = listen("127.0.0.1:0", "metrics")
    with taken, pytest.raises(InvalidInputError, match=f"Cannot listen on {address}: .*--metrics"):
        listen(address, "metrics")


def test_an_address_of_nobody_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"Cannot listen on 192\.0\.2\.1:0"):
        listen("192.0.2.1:0", "metrics")
