"""Attacks that cost: too large, too slow, too many, too often. Other hosts do not feel them."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import psutil
import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream, hello
from tests.support.agents.raw_http2 import DATA, RawConnection, call, frame, message, trusting
from tests.support.agents.secure_agent import SecureHost
from tests.support.managers.secure_manager import SecureManager, secure_manager
from tests.support.waiting import wait_until
from tui_manager.transport.messages.host_connection_rates import CONNECTIONS_OF_A_HOST
from tui_manager.transport.messages.message_guard import ITEMS_MAX
from tui_manager.transport.ports.port_limits import Timeouts

CONNECT = "/tui_manager.v1.CommandService/ConnectForCommands"
ENROLL = "/tui_manager.v1.EnrollmentService/Enroll"
MIB = 1 << 20


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[SecureManager]:
    """A manager that does not wait long."""
    timeouts = Timeouts(handshake=0.4, hello=0.4, idle=0.4, enrollment=0.6)
    async with secure_manager(tmp_path, timeouts) as running:
        yield running


async def _frames(address: str, sent: bytes, host: SecureHost | None, *, tls: bool = True) -> bytes:
    """What a port says until it closes, when a client says this and nothing more."""

    def talk() -> bytes:
        context = (host.context() if host else trusting()) if tls else None
        with RawConnection(address, context) as connection:
            if tls:
                connection.open()
            connection.send(sent)
            return b"".join(payload for *_, payload in connection.frames())

    return await asyncio.to_thread(talk)


async def test_a_message_of_a_gigabyte_costs_no_memory(secure: SecureManager) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    process = psutil.Process()
    async with other.dial(secure.address) as agent:
        await agent.hello("web01")
        before = process.memory_info().rss
        for address, path, host in (
            (secure.address, CONNECT, hostile),
            (secure.running.enroll_address, ENROLL, None),
        ):
            sent = await asyncio.to_thread(_pour, address, path, host)
            assert sent < 32 * MIB, "it is refused at its first bytes; some more were under way"
        assert process.memory_info().rss - before < 32 * MIB
        await secure.works("web01", agent)


def _pour(address: str, path: str, host: SecureHost | None) -> int:
    with RawConnection(address, host.context() if host else trusting()) as connection:
        connection.open()
        connection.send(call(path))
        return connection.pour(1 << 30, most=64 * MIB)


async def test_a_stream_that_says_nothing_is_ended(hasty: SecureManager) -> None:
    host = await hasty.host("web01")
    async with host.dial(hasty.address) as agent:
        last = (await agent.read_until("disconnect")).disconnect
        assert "No Hello" in last.detail
        assert await agent.ended()


async def test_a_stream_that_stops_in_a_message_is_ended(
    hasty: SecureManager,
) -> None:
    host = await hasty.host("web01")
    said = frame(DATA, 0, 1, message(pb.AgentMessage(hello=hello("web01"))))
    half = frame(DATA, 0, 1, b"\0\0\0\1\0half of it")
    answer = await _frames(hasty.address, call(CONNECT) + said + half, host)
    assert host.host_id.encode() in answer, "it was welcomed before"
    await wait_until(hasty.hosts, lambda hosts: not hosts[0].online)


async def test_an_enrolment_that_never_comes_whole_is_ended(hasty: SecureManager) -> None:
    half = call(ENROLL) + frame(DATA, 0, 1, b"\0\0\0\1\0half of it")
    await _frames(hasty.running.enroll_address, half, None)


@pytest.mark.parametrize("port", ["address", "enroll_address"])
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_connection_that_never_shakes_hands_is_closed(
    hasty: SecureManager, port: str, sent: bytes
) -> None:
    await _frames(getattr(hasty.running, port), sent, None, tls=False)


async def test_a_connection_without_a_stream_is_closed(hasty: SecureManager) -> None:
    await _frames(hasty.address, b"", await hasty.host("web01"))


async def test_500_handshakes_at_once_do_not_stop_a_command(
    secure: SecureManager,
) -> None:
    host = await secure.host("web01")
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
        flood = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.agents.flood", secure.address, "500"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert flood.stdout
        beats = asyncio.create_task(_keep_beating(agent))
        try:
            assert await flood.stdout.readline() == b"under way\n"
            await secure.works("web01", agent)
            assert flood.returncode is None, "it goes on"
        finally:
            beats.cancel()
            await flood.communicate(b"")  # which closes its stdin
        assert flood.returncode == 0
    later = await secure.host("web02")
    async with later.dial(secure.address) as agent:
        assert (await agent.hello("web02")).HasField("welcome")


async def _keep_beating(agent: AgentStream) -> None:
    while True:
        await agent.report()
        await asyncio.sleep(0.2)


async def test_a_host_that_dials_again_and_again_is_slowed_down_alone(
    secure: SecureManager,
) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    reasons: list[object] = []
    async with hostile.channel(secure.address) as channel:
        while pb.DISCONNECT_REASON_OVERLOADED not in reasons and len(reasons) < 1000:
            stream = AgentStream(hostile.stream_on(channel))
            await stream.write(pb.AgentMessage(report=pb.Report()))
            last = (await stream.read_until("disconnect")).disconnect
            reasons.append(last.reason)
    assert last.retry_after.ToNanoseconds() > 0
    assert len(reasons) <= CONNECTIONS_OF_A_HOST.burst
    async with other.dial(secure.address) as agent:
        await agent.hello("web01")
        await secure.works("web01", agent)


@pytest.mark.parametrize(
    ("times", "sent"),
    [
        (1, pb.Report(started=[pb.Started(execution_id="e")] * (ITEMS_MAX + 1))),
        (3000, pb.Report(vitals=pb.Vitals(cpu_percent=1))),
        (
            1,
            pb.Report(
                output=[pb.Output(execution_id="e", stream=pb.STREAM_STDOUT, data=b"x" * 2 * MIB)]
            ),
        ),
        (
            1,
            pb.Report(
                results=[
                    pb.Result(execution_id=str(number), status=pb.RESULT_STATUS_COMPLETED)
                    for number in range(1500)
                ]
            ),
        ),
    ],
    ids=["crowded", "vitals without end", "large output", "unknown executions"],
)
async def test_whoever_says_too_much_is_cut_off_alone(
    secure: SecureManager, times: int, sent: pb.Report
) -> None:
    hostile, other = await secure.host("hostile"), await secure.host("web01")
    async with hostile.dial(secure.address) as enemy, other.dial(secure.address) as agent:
        await enemy.hello("hostile")
        await agent.hello("web01")
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for _ in range(times):
                await enemy.write(pb.AgentMessage(report=sent))
        (entry,) = await secure.audit("violation")
        assert entry.host == "hostile"
        await wait_until(secure.hosts, lambda hosts: not hosts[0].online)
        await secure.works("web01", agent)


async def test_bytes_that_are_no_message_are_a_violation(hasty: SecureManager) -> None:
    host = await hasty.host("hostile")
    junk = frame(DATA, 0, 1, b"\0\0\0\0\4\xff\xff\xff\xff")
    said = frame(DATA, 0, 1, message(pb.AgentMessage(hello=hello("hostile"))))
    for sent in (junk, said + junk):
        answer = await _frames(hasty.address, call(CONNECT) + sent, host)
        assert b"cannot be decoded" in answer
    assert {entry.host for entry in await hasty.audit("violation")} == {"hostile"}


async def test_a_compressed_message_is_not_unpacked(secure: SecureManager) -> None:
    """A few kilobytes of gzip can hold gigabytes."""
    host = await secure.host("web01")
    async with host.channel(secure.address) as channel:
        stream = host.stream_on(channel, compression=grpc.Compression.Gzip)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await AgentStream(stream).hello("web01", os="x" * 1000)
        refused = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL)  # as the stream breaks
        assert await stream.code() in refused
