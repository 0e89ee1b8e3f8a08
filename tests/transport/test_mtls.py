"""Both ports with TLS: a host enrols, is approved, works, and has its certificate renewed."""

import asyncio
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest
from cryptography import x509
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import dial
from tests.support.agents.secure_agent import enroll, new_key
from tests.support.managers.secure_manager import MovedClock, SecureManager, secure_manager
from tests.support.waiting import wait_until
from tui_manager.domain.manager.address import split_address
from tui_manager.run_manager import run_manager
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.client_certificate import read_peer
from tui_manager.security.certificates.enrollment_identity import EnrollmentIdentity
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import key_hash
from tui_manager.settings import Settings
from tui_manager.shared_keys import SECURITY
from tui_manager.transport.ports import port_limits
from tui_manager.transport.ports.certificates import AllPortCredentials, Certificates


async def test_a_host_enrols_is_approved_and_works(secure: SecureManager) -> None:
    manager = secure.running
    status = await manager.operator.manager_status()
    assert (manager.security, status.security) == ("mTLS", "mTLS")
    assert status.enroll_address == manager.enroll_address
    token = await secure.token(labels={"env": "prod"})
    assert token.endswith(f".{split_address(manager.enroll_address)[1]}")
    host = await enroll(manager, token, "web01", labels={"role": "web"})
    assert host.admission == pb.ADMISSION_PENDING
    async with host.dial(secure.address) as agent:
        welcome = (await agent.hello("web01")).welcome
        assert welcome.host_id == host.host_id
        assert welcome.settings.admission == pb.ADMISSION_PENDING
        assert not welcome.settings.renew_certificate
        (seen,) = await secure.hosts()
        assert seen.labels == {"env": "prod"}
        assert await manager.operator.approve_hosts(["web01"]) == ("web01",)
        assert (await agent.read()).settings.admission == pb.ADMISSION_ADMITTED
        await secure.works("web01", agent)


async def test_a_certificate_is_renewed_on_the_stream_and_then_ends_with_its_session(
    secure: SecureManager,
) -> None:
    host = await secure.host("web01")
    async with host.dial(secure.address) as agent:
        assert not (await agent.hello("web01")).welcome.settings.renew_certificate
        secure.moved.ahead = timedelta(days=20)
        assert (await agent.read_until("settings")).settings.renew_certificate
        request = pb.CertificateRequest(csr_der=host.request())
        await agent.write(pb.AgentMessage(certificate_request=request))
        renewed = host.took((await agent.read_until("certificate_issued")).certificate_issued)
        peer = read_peer(renewed.chain)
        assert peer.host_id == host.host_id
        assert peer.ends > read_peer(host.chain).ends + timedelta(days=19)
        secure.moved.ahead = timedelta(days=31)
        last = (await agent.read_until("disconnect")).disconnect
        assert "expired" in last.detail
        assert await agent.ended()


async def test_a_host_that_dials_with_two_thirds_over_is_asked_at_once(
    secure: SecureManager,
) -> None:
    host = await secure.host("web01")
    secure.moved.ahead = timedelta(days=20)
    async with host.dial(secure.address) as agent:
        assert (await agent.hello("web01")).welcome.settings.renew_certificate
        request = pb.AgentMessage(certificate_request=pb.CertificateRequest(csr_der=host.request()))
        await agent.write(request)
        await agent.read_until("certificate_issued")
        await agent.write(request)
        last = (await agent.read_until("disconnect")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR


@pytest.mark.parametrize("ahead", [timedelta(days=-365), timedelta(days=22)])
async def test_a_good_certificate_is_offered_when_the_clock_has_been_put_right(
    ahead: timedelta, secure: SecureManager
) -> None:
    host = await secure.host("web01")
    first = read_peer(host.chain)
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
        for secure.moved.ahead in (ahead, timedelta()):
            while not (await agent.read_until("settings")).settings.renew_certificate:
                pass
            request = pb.CertificateRequest(csr_der=host.request())
            await agent.write(pb.AgentMessage(certificate_request=request))
            renewed = host.took((await agent.read_until("certificate_issued")).certificate_issued)
        good = read_peer(renewed.chain)
    assert good.begins < secure.moved.now() < first.ends <= good.ends
    async with renewed.dial(secure.address) as agent:
        await agent.hello("web01")
        await secure.works("web01", agent)


@pytest.mark.parametrize("ahead", [timedelta(days=-365), timedelta(days=22)])
async def test_the_ports_show_good_certificates_when_the_clock_has_been_put_right(
    ahead: timedelta, tmp_path: Path
) -> None:
    moved = MovedClock()
    authority = Authority(FolderKeys(tmp_path), "m", moved.now)
    server = ServerIdentity(authority, tmp_path, ("127.0.0.1",), moved.now)
    enrollment = EnrollmentIdentity(FolderKeys(tmp_path), moved.now)
    shown = AllPortCredentials(Certificates(server, enrollment))
    for moved.ahead in (ahead, timedelta()):
        shown.renew_if_due()
    for pem in (server.chain_pem, server.roots_pem, enrollment.certificate_pem):
        certificate = x509.load_pem_x509_certificate(pem)
        assert certificate.not_valid_before_utc < moved.now() < certificate.not_valid_after_utc


async def test_a_certificate_is_not_renewed_for_another_key(secure: SecureManager) -> None:
    host = await secure.host("web01")
    secure.moved.ahead = timedelta(days=20)
    other = replace(host, key=new_key())
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
        request = pb.CertificateRequest(csr_der=other.request())
        await agent.write(pb.AgentMessage(certificate_request=request))
        last = (await agent.read_until("disconnect")).disconnect
        assert "another key" in last.detail


async def test_the_enrolment_port_is_where_it_is_told_to_be(tmp_path: Path) -> None:
    async with secure_manager(tmp_path, enroll_listen="localhost:0") as secure:
        assert secure.running.enroll_address.startswith("localhost:")
        assert (await secure.host("web01")).host_id


async def test_without_tls_nobody_enrols(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with run_manager(settings) as manager:
        assert (manager.security, manager.enroll_address) == ("insecure", "")
        async with dial(manager.address) as agent:
            assert (await agent.hello("web01")).HasField("welcome")


async def test_keys_and_certificates_are_the_owners_alone(
    secure: SecureManager,
) -> None:
    folder = secure.state_dir / SECURITY
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(("port", "due"), [("commands", 61), ("enrollment", 2450)])
async def test_a_renewed_certificate_is_shown_without_a_restart(
    port: str, due: int, tmp_path: Path
) -> None:
    moved = MovedClock()
    authority = Authority(FolderKeys(tmp_path), "m", moved.now)
    server = ServerIdentity(authority, tmp_path, ("127.0.0.1",), moved.now)
    shown = AllPortCredentials(
        Certificates(server, EnrollmentIdentity(FolderKeys(tmp_path), moved.now))
    )
    grpc_server = grpc.aio.server(options=port_limits.options(port_limits.Timeouts(), 10, 1000))
    address = port_limits.listen(grpc_server, "127.0.0.1:0", getattr(shown, port).credentials)
    await grpc_server.start()
    first = await _shown_at(address)
    shown.renew_if_due()
    assert (await _shown_at(address)) == first
    moved.ahead = timedelta(days=due)
    shown.renew_if_due()
    second = await _shown_at(address)
    await grpc_server.stop(0)
    assert second.serial_number != first.serial_number
    assert key_hash(second.public_key()) == key_hash(first.public_key())


async def _shown_at(address: str) -> x509.Certificate:
    host, port = split_address(address)
    text = await asyncio.to_thread(ssl.get_server_certificate, (host, port))
    return x509.load_pem_x509_certificate(text.encode())


async def test_a_host_that_hangs_up_is_offline_with_tls_too(secure: SecureManager) -> None:
    host = await secure.host("web01")
    async with host.dial(secure.address) as agent:
        await agent.hello("web01")
    await wait_until(secure.hosts, lambda hosts: not hosts[0].online)
