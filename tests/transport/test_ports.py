"""What gRPC keeps out by itself, before a line of ours runs: each option at work."""

import asyncio
import contextlib
import resource
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from tui_manager_agent.link import reconnect
from tui_manager_protos.v1 import enrollment_pb2 as pb
from tui_manager_protos.v1 import enrollment_pb2_grpc as pb_grpc

from tests.support.agents import raw_http2
from tests.support.agents.raw_http2 import RawConnection, frame, trusting
from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.enrollment_identity import (
    ENROLLMENT_NAME,
    EnrollmentIdentity,
)
from tui_manager.security.key_store import FolderKeys
from tui_manager.transport.ports import port_limits
from tui_manager.transport.ports.certificates import enrollment_credentials
from tui_manager.transport.ports.enrollment_port import MESSAGE_MAX, serve_enrollment
from tui_manager.transport.ports.port_limits import Timeouts

ENROLL = "/tui_manager.v1.EnrollmentService/Enroll"
CALLED = raw_http2.PREFACE + frame(raw_http2.SETTINGS) + raw_http2.call(ENROLL)
PING = frame(raw_http2.PING, 0, 0, b"12345678")


class _Answers(pb_grpc.EnrollmentServiceServicer):
    """Answers with the size of what was asked; holds calls named "hold" open."""

    def __init__(self) -> None:
        self.holding = 0

    async def Enroll(  # noqa: N802
        self, request: pb.EnrollRequest, context: Any
    ) -> pb.EnrollResponse:
        if request.name == "hold":
            self.holding += 1
            await asyncio.Event().wait()
        return pb.EnrollResponse(name=str(request.ByteSize()))


class _Port:
    def __init__(self, address: str, servicer: _Answers, certificate: bytes) -> None:
        self.address = address
        self.servicer = servicer
        self._root = certificate

    def channel(self, *options: tuple[str, Any]) -> grpc.aio.Channel:
        name = ("grpc.ssl_target_name_override", ENROLLMENT_NAME)
        own = ("grpc.use_local_subchannel_pool", 1)
        credentials = grpc.ssl_channel_credentials(self._root)
        return grpc.aio.secure_channel(self.address, credentials, options=[name, own, *options])


@contextlib.asynccontextmanager
async def _serve(
    folder: Path, timeouts: Timeouts | None = None, connections: int = 100
) -> AsyncIterator[_Port]:
    timeouts = timeouts or Timeouts()
    identity = EnrollmentIdentity(FolderKeys(folder), lambda: datetime.now(UTC))
    servicer = _Answers()
    options = port_limits.options(timeouts, connections, MESSAGE_MAX)
    credentials = enrollment_credentials(identity).credentials
    async with serve_enrollment(servicer, "127.0.0.1:0", options, credentials, timeouts) as address:
        yield _Port(address, servicer, identity.certificate_pem)


def _frames_after(address: str, *sent: bytes, tls: bool = True) -> list[tuple[int, int, bytes]]:
    """What the port says until it closes, when a client says this and then nothing more."""
    with RawConnection(address, trusting() if tls else None) as connection:
        for data in sent:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                connection.send(data)
        return connection.frames()


@pytest.mark.parametrize(
    ("sent", "tls"),
    [
        (b"", False),
        (b"\x16\x03\x01\x02\x00\x01", False),  # the beginning of a TLS hello
        (b"", True),
        (raw_http2.PREFACE[:10], True),
    ],
)
async def test_a_connection_that_never_gets_going_is_closed(
    tmp_path: Path, sent: bytes, tls: bool
) -> None:
    async with _serve(tmp_path, Timeouts(handshake=0.3)) as port:
        await asyncio.to_thread(_frames_after, port.address, sent, tls=tls)


def test_no_manager_gives_up_on_a_handshake_before_its_agent_does() -> None:
    assert Timeouts().handshake >= reconnect.PATIENCE


def test_where_hosts_enrol_nobody_keeps_a_place_for_as_long_as_a_crowd_may() -> None:
    timeouts = Timeouts().for_enrollment()
    assert max(timeouts.handshake, timeouts.idle) < min(Timeouts().handshake, Timeouts().idle)


async def test_a_connection_without_a_call_is_closed(tmp_path: Path) -> None:
    async with _serve(tmp_path, Timeouts(idle=0.3)) as port:
        said = await asyncio.to_thread(
            _frames_after, port.address, raw_http2.PREFACE + frame(raw_http2.SETTINGS)
        )
    assert b"idle" in said[-1][2]


async def test_a_request_that_never_comes_whole_is_given_up(tmp_path: Path) -> None:
    slow = raw_http2.PREFACE + frame(raw_http2.SETTINGS) + raw_http2.call(ENROLL)
    half = frame(raw_http2.DATA, 0, 1, b"\0\0\0\x10\0half of it")
    async with _serve(tmp_path, Timeouts(enrollment=0.5)) as port:
        said = await asyncio.to_thread(_frames_after, port.address, slow, half)
    assert any(b"max connection age" in payload or b"max_age" in payload for *_, payload in said)


async def test_more_connections_than_there_is_room_for_are_closed(
    tmp_path: Path,
) -> None:
    async with _serve(tmp_path, Timeouts(handshake=600), connections=5) as port:
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(RawConnection(port.address))
            await asyncio.to_thread(_frames_after, port.address, tls=False)


async def test_a_connection_has_few_calls_at_once(tmp_path: Path) -> None:
    async with _serve(tmp_path) as port, port.channel() as channel:
        stub = pb_grpc.EnrollmentServiceStub(channel)
        calls = [stub.Enroll(pb.EnrollRequest(name="hold")) for _ in range(5)]
        async with port.channel() as other:
            for _ in range(20):
                await pb_grpc.EnrollmentServiceStub(other).Enroll(pb.EnrollRequest(name="x"))
        assert port.servicer.holding == 2
        for one in calls:
            one.cancel()


async def test_large_headers_are_refused(tmp_path: Path) -> None:
    async with _serve(tmp_path) as port, port.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="metadata size"):
            await pb_grpc.EnrollmentServiceStub(channel).Enroll(
                pb.EnrollRequest(), metadata=[("large", "x" * 10_000)]
            )


async def test_a_large_message_is_refused(tmp_path: Path) -> None:
    async with _serve(tmp_path) as port, port.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.EnrollmentServiceStub(channel).Enroll(
                pb.EnrollRequest(name="x" * MESSAGE_MAX)
            )
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_nothing_is_unpacked(tmp_path: Path) -> None:
    async with _serve(tmp_path) as port, port.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="gzip"):
            await pb_grpc.EnrollmentServiceStub(channel).Enroll(
                pb.EnrollRequest(name="x" * 10_000), compression=grpc.Compression.Gzip
            )


async def test_a_flood_of_pings_ends_the_connection(tmp_path: Path) -> None:
    async with _serve(tmp_path, Timeouts(idle=600, enrollment=600)) as port:
        await asyncio.to_thread(_frames_after, port.address, CALLED, *[PING] * 20)


async def test_pings_that_come_no_more_often_than_they_may_are_answered(tmp_path: Path) -> None:
    """As those of an agent that has a call and hears nothing for long."""

    def ping() -> int:
        with RawConnection(port.address, trusting()) as connection:
            connection.send(CALLED)
            for _ in range(10):
                time.sleep(0.05)  # not for something to happen: this is what is tested
                connection.send(PING)
            request_received = 0
            while request_received < 10 and not connection.closed:
                request_received += sum(kind == raw_http2.PING for kind, *_ in connection.receive())
            return request_received

    async with _serve(tmp_path, Timeouts(enrollment=600, ping=0.01)) as port:
        assert await asyncio.to_thread(ping) >= 10


async def test_a_client_that_stands_still_is_given_up(tmp_path: Path) -> None:
    """Its system takes what is sent, and its process does not answer."""

    def stand_still() -> None:
        with RawConnection(port.address, trusting()) as connection:
            connection.answers_pings = False
            connection.socket.settimeout(45)  # seconds; without its option gRPC takes a minute
            connection.send(CALLED)
            connection.frames()

    timeouts = Timeouts(idle=600, enrollment=600, silence=0.2, answer=0.2)
    async with _serve(tmp_path, timeouts) as port:
        await asyncio.to_thread(stand_still)


async def test_a_port_in_use_is_said_to_be_so(tmp_path: Path) -> None:
    async with _serve(tmp_path) as port:
        with pytest.raises(InvalidInputError, match=r"in use.*--enroll-listen") as caught:
            port_limits.listen(grpc.aio.server(), port.address, None, "enroll-listen")
    assert caught.value.field == "enroll_listen"


def test_connections_leave_files_for_the_rest() -> None:
    room = port_limits.share_open_files()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert room.commands > 0
    assert room.enrollment > 0
    assert room.commands + room.enrollment < soft
