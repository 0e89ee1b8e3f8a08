"""Messages between managers over NATS: what is about NATS alone."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from socket import create_server
from typing import Any

import psutil
import pytest
from nats.aio.client import Client

from tests.support.databases.tls_front import make_certificate
from tests.support.managers.message_carriers import TIMES, Manager
from tests.support.managers.nats_server import NatsServer, nats_server
from tui_manager.domain.errors import UnreachableError
from tui_manager.service.managers.messages.notifier import MESSAGE_MAX
from tui_manager.transport.change_feed.nats_address import nats_address
from tui_manager.transport.change_feed.nats_link import NatsLink

SECRET = "s3cret"


def _manager(url: str, subject: str = "tui-manager.test") -> Manager:
    address = nats_address(url)
    return Manager(lambda: NatsLink(address, subject), replace(TIMES, longest_pause=0.05))


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with nats_server() as made:
        yield made


async def test_managers_of_other_databases_hear_nothing(server: NatsServer) -> None:
    url = f"nats://{server.place}"
    async with _manager(url, "tui-manager.one") as one, _manager(url, "tui-manager.other") as other:
        await one.works()
        await other.works()
        await one.hears(b"of one")
        await other.hears(b"of other")
        assert b"of one" not in other.heard
        assert b"of other" not in one.heard


async def test_a_server_that_is_away_is_left_out(server: NatsServer) -> None:
    with create_server(("127.0.0.1", 0)) as free:
        away = free.getsockname()[1]
    async with _manager(f"nats://127.0.0.1:{away},{server.place}") as one:
        await one.works()


async def test_all_servers_that_are_away_are_named() -> None:
    async with _manager("nats://127.0.0.1:1,127.0.0.1:2") as one:
        problem = await one.has_problem("NATS at 127.0.0.1:1, 127.0.0.1:2 cannot be used now.")
        assert "refused" in problem


async def test_a_name_that_is_unknown_is_said() -> None:
    async with _manager("nats://none.invalid") as one:
        await one.has_problem("NATS at none.invalid:4222 cannot be used now.")


async def test_what_is_no_nats_server_is_said() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with other, _manager(f"nats://127.0.0.1:{other.sockets[0].getsockname()[1]}") as one:
        await one.has_problem("cannot be used now.")


async def test_a_password_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("wr0ng\n")
    with nats_server("--user", "tui@", "--pass", SECRET) as server:
        async with _manager(f"nats://tui%40@{server.place}?passfile={file}") as one:
            assert SECRET not in await one.has_problem("Authorization Violation")
            file.write_text(f"{SECRET}\n")
            await one.works()
            file.unlink()
            server.stop()
            server.start()
            await one.has_problem("No such file or directory")


async def test_a_user_without_the_right_to_listen_is_told(tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    allowed = 'permissions: {publish: "tui-manager.*", subscribe: "other"}'
    config.write_text(f"authorization: {{users: [{{user: tui, password: {SECRET}, {allowed}}}]}}\n")
    with nats_server("--config", str(config)) as server:
        async with _manager(f"nats://tui:{SECRET}@{server.place}") as one:
            problem = await one.has_problem("permissions violation for subscription")
            assert SECRET not in problem


async def test_messages_that_no_manager_sends_are_left_out(server: NatsServer) -> None:
    url = f"nats://{server.place}"
    stranger = NatsLink(nats_address(url), "tui-manager.test")
    async with _manager(url) as one:
        await one.works()
        await stranger.open(lambda _message: None, lambda _reason: None)
        sender = b"0123456789abcdef "
        for message in (b"", b"x" * 500_000, sender + b"x" * (MESSAGE_MAX + 1), sender + b"\xff"):
            await stranger.send(message)
        await stranger.send(sender + b"changed")
        await one.hears(b"changed")
        await stranger.close(None)
        assert set(one.heard) == {b"works", b"changed"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of the server localhost; its own authority. Its key is beside it."""
    made = tmp_path / "server.crt"
    make_certificate(made, made.with_suffix(".key"), "localhost")
    return made


@pytest.fixture
def secure(certificate: Path) -> Iterator[NatsServer]:
    """A server that speaks TLS and asks for a certificate."""
    key = certificate.with_suffix(".key")
    options = ("--tlsverify", "--tlscert", certificate, "--tlskey", key, "--tlscacert", certificate)
    with nats_server(*map(str, options)) as made:
        yield made


async def test_tls_with_certificates_of_both(secure: NatsServer, certificate: Path) -> None:
    key = certificate.with_suffix(".key")
    files = f"sslrootcert={certificate}&sslcert={certificate}&sslkey={key}"

    def connections() -> int:
        found = psutil.Process().net_connections()
        return sum(bool(one.raddr) and one.raddr.port == secure.port for one in found)

    async with _manager(f"tls://localhost:{secure.port}?{files}") as one:
        await one.works()
        secure.stop()
        await one.has_problem()
        secure.start()
        await one.works()
    # A manager that stops does not wait until a server has ended TLS, and that one stalls.
    async with _manager(f"tls://localhost:{secure.port}?{files}") as one:
        await one.works()
        with secure.stalled():
            one.task.cancel()
            await asyncio.wait([one.task])
            assert connections() == 0


@pytest.mark.parametrize(
    ("host", "files"),
    [("localhost", ""), ("127.0.0.1", "?sslrootcert={certificate}")],
)
@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_an_unknown_server_gets_nothing(
    scheme: str, host: str, files: str, secure: NatsServer, certificate: Path
) -> None:
    files = files.format(certificate=certificate)
    async with _manager(f"{scheme}://{host}:{secure.port}{files}") as one:
        await one.has_problem("certificate verify failed")


@pytest.mark.parametrize("call", ["connect", "subscribe", "publish"])
async def test_a_manager_ends_although_nats_py_loses_that_it_was_cancelled(
    call: str, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `asyncio.wait_for` in Python 3.11, if something else happens at the same moment."""
    waits, original = asyncio.Event(), getattr(Client, call)

    async def lose(*arguments: Any, **keywords: Any) -> None:
        await original(*arguments, **keywords)
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if call != "publish":
                raise OSError("the connection was lost") from None

    monkeypatch.setattr(Client, call, lose)
    one = _manager(f"nats://{server.place}")
    async with one:
        await waits.wait()
    assert one.task.cancelled()


@pytest.mark.parametrize("user", ["", f"tui:{SECRET}@"])
async def test_without_tls_nothing_is_sent(user: str) -> None:
    """A server, or somebody between, says that it does not speak TLS."""
    got = b""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        writer.write(b'INFO {"server_id": "x", "auth_required": true, "max_payload": 1000}\r\n')
        with suppress(OSError):
            while data := await reader.read(1000):
                got += data
                if data.endswith(b"PING\r\n"):
                    writer.write(b"PONG\r\n")
        writer.close()

    plain = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    async with plain, _manager(f"tls://{user}127.0.0.1:{port}") as one:
        await one.has_problem("it does not speak TLS, which tls:// asks for")
    assert SECRET.encode() not in got
    assert b"tui-manager.test" not in got


async def test_a_file_that_is_missing_is_a_problem(server: NatsServer, tmp_path: Path) -> None:
    link = NatsLink(
        nats_address(f"tls://{server.place}?sslrootcert={tmp_path}/none.pem"), "tui-manager.test"
    )
    with pytest.raises(UnreachableError, match="No such file"):
        await link.open(lambda _message: None, lambda _reason: None)
    await link.close(None)
