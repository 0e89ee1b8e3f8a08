"""What can be had on each port without an identity: every call of every service, every TLS."""

import asyncio
import shutil
import ssl
import subprocess
from typing import Any

import grpc.aio
import pytest
from google.protobuf.descriptor import FileDescriptor
from tui_manager_protos.v1 import agent_pb2, enrollment_pb2, operator_pb2

from tests.support.agents.raw_http2 import RawConnection, trusting
from tests.support.agents.secure_agent import enrollment_channel
from tests.support.managers.secure_manager import SecureManager

FILES: list[FileDescriptor] = [
    agent_pb2.DESCRIPTOR,
    enrollment_pb2.DESCRIPTOR,
    operator_pb2.DESCRIPTOR,
]


ALL = [
    f"/{service.full_name}/{call.name}"
    for file in FILES
    for service in file.services_by_name.values()
    for call in service.methods
]
ENROLL = "/tui_manager.v1.EnrollmentService/Enroll"
DEMAND = "Requested Signature Algorithms"  # of a client certificate
CONNECT = "/tui_manager.v1.CommandService/ConnectForCommands"


async def _answers(channel: Any) -> dict[str, grpc.StatusCode]:
    """What each call of each service comes to, with an empty request."""
    found = {}
    for path in ALL:
        found[path] = await channel.unary_unary(path)(b"").code()
    return found


async def test_nothing_answers_on_the_command_port_to_a_stranger(
    secure: SecureManager,
) -> None:
    services = {path.split("/")[1].rpartition(".")[2] for path in ALL}
    assert services == {"CommandService", "EnrollmentService", "OperatorService"}
    host = (await secure.host("web01")).showing(b"")
    async with host.channel(secure.address) as channel:
        assert set((await _answers(channel)).values()) == {grpc.StatusCode.UNAVAILABLE}


async def test_a_host_finds_its_own_service_alone_on_the_command_port(
    secure: SecureManager,
) -> None:
    host = await secure.host("web01")
    async with host.channel(secure.address) as channel:
        found = await _answers(channel)
    unknown = {path for path, code in found.items() if code is grpc.StatusCode.UNIMPLEMENTED}
    assert unknown == set(ALL) - {CONNECT}


async def test_the_enrolment_port_serves_enrolment_alone(secure: SecureManager) -> None:
    async with enrollment_channel(secure.running) as channel:
        found = await _answers(channel)
    assert found.pop(ENROLL) is grpc.StatusCode.FAILED_PRECONDITION, "it names no protocol"
    assert set(found.values()) == {grpc.StatusCode.UNIMPLEMENTED}


@pytest.mark.parametrize("port", ["address", "enroll_address"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # that they are old is the point
async def test_old_versions_of_tls_are_refused(secure: SecureManager, port: str) -> None:
    address = getattr(secure.running, port)
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        old = trusting()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = version
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(RawConnection, address, old)
    new = trusting()
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    with await asyncio.to_thread(RawConnection, address, new) as connection:
        assert connection.socket.version() == "TLSv1.3"  # type: ignore[attr-defined]


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
async def test_openssl_sees_what_the_ports_demand(secure: SecureManager) -> None:
    commands, enrollment = secure.address, secure.running.enroll_address
    for version, spoken in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        said = await _openssl(enrollment, version)
        assert f"New, {spoken}, Cipher is" in said
        assert DEMAND not in said
        assert DEMAND in await _openssl(commands, version)
    for address in (commands, enrollment):
        said = await _openssl(address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        assert "Cipher is (NONE)" in said


async def _openssl(address: str, *options: str) -> str:
    def run() -> str:
        done = subprocess.run(
            ["openssl", "s_client", "-connect", address, "-alpn", "h2", *options],
            input=b"",
            capture_output=True,
            timeout=60,
            check=False,
        )
        return (done.stdout + done.stderr).decode(errors="replace")

    return await asyncio.to_thread(run)
