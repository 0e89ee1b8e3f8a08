"""The stream over TLS: whom each side trusts, the errors, renewal, admission."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tui_manager_agent.identity import credentials
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.authority import DAY, MONTH, Authority, der, key_hash, new_key
from tests.agent.fake_enrollment import SERVER_NAME, FakeEnrollment
from tests.agent.fake_manager import FakeManager
from tests.agent.false_server import FalseServer


def host_of(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(names.get_values_for_type(x509.UniformResourceIdentifier)[0])


def public_key(
    owner: x509.Certificate | x509.CertificateSigningRequest,
) -> ec.EllipticCurvePublicKey:
    key = owner.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


async def replace(manager: FakeManager, authority: Authority, name: str, **more: object) -> None:
    """Puts another manager where this one was."""
    await manager.stop()
    clients = more.pop("clients", authority)
    manager.security = authority.server_credentials(name, clients=clients, **more)  # type: ignore[arg-type]
    await manager.start()


async def test_the_certificate_says_who_speaks(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    (shown,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    assert host_of(shown) == f"urn:uuid:{tls_manager.host_id}"


@pytest.mark.usefixtures("new_processes")
async def test_the_agent_loads_neither_openssl_nor_cryptography(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    maps = Path(f"/proc/{enrolled.pid}/maps").read_text()
    assert "cygrpc" in maps
    for library in ("cryptography", "_ssl.", "libssl", "libcrypto"):
        assert library not in maps


async def test_a_false_manager_hears_nothing_and_the_true_one_is_found_again(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    heard = len(tls_manager.hellos)
    await replace(tls_manager, Authority(), SERVER_NAME, clients=None)
    line = await enrolled.says("is not signed by the authority this host enrolled with")
    assert (
        'no manager: reason="The server that answers cannot prove that it is the manager: ' in line
    )
    assert len(tls_manager.hellos) == heard
    await replace(tls_manager, authority, SERVER_NAME)
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == heard + 1)


async def test_an_authority_of_the_same_name_is_not_the_same(
    enrolled: AgentProcess, tls_manager: FakeManager, tmp_path: Path
) -> None:
    await tls_manager.stop()
    key = new_key()
    false = Authority("tests").server(key.public_key(), SERVER_NAME)
    async with FalseServer(tmp_path, key, false, tls_manager.port) as server:
        await enrolled.says("is not signed by the authority this host enrolled with")
    assert server.heard == b""


@pytest.mark.parametrize(
    ("name", "lasts", "words"),
    [
        ("other.tui-manager.internal", MONTH, "is made out for another name"),
        (SERVER_NAME, -DAY, "has ended by this host's clock"),
    ],
)
async def test_a_certificate_of_the_right_authority_can_be_the_wrong_one(
    name: str,
    lasts: timedelta,
    words: str,
    enrolled: AgentProcess,
    tls_manager: FakeManager,
    authority: Authority,
) -> None:
    await replace(tls_manager, authority, name, lasts=lasts)
    await enrolled.says(words)
    assert len(tls_manager.hellos) == 1


async def test_a_manager_without_tls_is_named(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    await tls_manager.stop()
    tls_manager.security = None
    await tls_manager.start()
    await enrolled.says("it speaks no TLS, as a manager does that runs with --insecure")
    assert len(tls_manager.hellos) == 1


async def test_without_a_name_in_the_credentials_the_dialed_host_is_checked(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment, authority: Authority
) -> None:
    enrollment.server_name = ""
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    await fresh.says("is made out for another name")
    await replace(tls_manager, authority, "127.0.0.1")
    await tls_manager.wait_for(lambda: tls_manager.hellos)


async def test_a_welcome_for_another_host_is_not_heeded(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    tls_manager.host_id = "another"
    tls_manager.hang_up()
    status, errors = await enrolled.ended()
    assert status == 3
    assert "it calls this host another" in errors


async def test_waiting_for_approval_is_said_and_its_end(
    fresh: AgentProcess, tls_manager: FakeManager, enrollment: FakeEnrollment
) -> None:
    tls_manager.settings.admission = wire.ADMISSION_PENDING
    await fresh.run(tls_manager, f"--join-token={enrollment.token}")
    words = (await fresh.says("this host is known by")).split("known by ")[1].split()[0]
    line = await fresh.says("this host waits for an operator's approval")
    assert f"compare the words {words}" in line
    tls_manager.send(settings=wire.Settings(admission=wire.ADMISSION_ADMITTED))
    await fresh.says("an operator has approved this host")


@pytest.mark.usefixtures("new_processes")
async def test_a_certificate_is_renewed_over_the_stream(
    enrolled: AgentProcess,
    tls_manager: FakeManager,
    authority: Authority,
    enrollment: FakeEnrollment,
) -> None:
    renew = wire.Settings(admission=wire.ADMISSION_ADMITTED, renew_certificate=True)
    tls_manager.send(settings=renew)
    tls_manager.send(settings=renew)
    await tls_manager.wait_for(lambda: tls_manager.certificate_requests)
    await tls_manager.result(tls_manager.run("true"))
    (request,) = map(x509.load_der_x509_csr, tls_manager.certificate_requests)
    (first,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    assert request.is_signature_valid
    assert public_key(request) == public_key(first)
    renewed = authority.host(public_key(request), tls_manager.host_id)
    tls_manager.send(certificate_issued=issued(authority, renewed))
    await enrolled.says("certificate renewed: ends=")
    tls_manager.hang_up()
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 2)
    assert x509.load_pem_x509_certificate(tls_manager.peers[1]) == renewed
    await enrolled.terminate()
    await enrolled.run(tls_manager, f"--join-token={enrollment.token}")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 3)
    assert x509.load_pem_x509_certificate(tls_manager.peers[2]) == renewed
    assert len(enrollment.requests) == 1  # which token it was is remembered


async def test_a_renewal_can_be_wanted_by_the_welcome_and_bring_another_authority(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    tls_manager.settings.renew_certificate = True
    tls_manager.hang_up()
    await tls_manager.wait_for(lambda: tls_manager.certificate_requests)
    tls_manager.settings.renew_certificate = False
    (request,) = map(x509.load_der_x509_csr, tls_manager.certificate_requests)
    next_one = Authority("next")
    renewed = next_one.host(public_key(request), tls_manager.host_id)
    tls_manager.send(
        certificate_issued=wire.CertificateIssued(
            certificates_der=[der(renewed)],
            authorities_der=[der(authority.certificate), der(next_one.certificate)],
            server_name="next.internal",
        )
    )
    await enrolled.says("certificate renewed")
    await replace(tls_manager, next_one, "next.internal")
    await tls_manager.wait_for(lambda: len(tls_manager.hellos) == 3)


@pytest.mark.parametrize("wrong", ["key", "host", "nothing", "noise"])
async def test_what_is_no_certificate_of_this_host_is_not_kept(
    wrong: str, enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    before = credentials.load(enrolled.state_dir)
    tls_manager.send(settings=wire.Settings(renew_certificate=True))
    await tls_manager.wait_for(lambda: tls_manager.certificate_requests)
    (request,) = map(x509.load_der_x509_csr, tls_manager.certificate_requests)
    answers = {
        "key": authority.host(new_key().public_key(), tls_manager.host_id),
        "host": authority.host(public_key(request), "6f0f1c9e-3c4f-4b7e-9c38-7f3d9b0a8f55"),
    }
    answer = wire.CertificateIssued(
        certificates_der=[der(answers[wrong])] if wrong in answers else [],
        authorities_der=[der(authority.certificate)],
        server_name=SERVER_NAME,
    )
    if wrong == "noise":
        answer.certificates_der.append(b"\x30\x03abc")
    tls_manager.send(certificate_issued=answer)
    await enrolled.says("the new certificate is not used: ")
    assert credentials.load(enrolled.state_dir) == before
    await tls_manager.result(tls_manager.run("true"))
    assert len(tls_manager.hellos) == 1


async def test_a_certificate_that_was_not_asked_for_is_not_kept(
    enrolled: AgentProcess, tls_manager: FakeManager, authority: Authority
) -> None:
    before = credentials.load(enrolled.state_dir)
    (shown,) = map(x509.load_pem_x509_certificate, tls_manager.peers)
    other = authority.host(public_key(shown), tls_manager.host_id)
    tls_manager.send(certificate_issued=issued(authority, other))
    await enrolled.says("a certificate was issued that this agent has not asked for")
    assert credentials.load(enrolled.state_dir) == before


async def test_an_agent_killed_before_the_answer_is_asked_again(
    enrolled: AgentProcess, tls_manager: FakeManager
) -> None:
    tls_manager.settings.renew_certificate = True
    tls_manager.hang_up()
    await tls_manager.wait_for(lambda: tls_manager.certificate_requests)
    await enrolled.kill()
    await enrolled.run(tls_manager)
    await tls_manager.wait_for(lambda: len(tls_manager.certificate_requests) == 2)
    keys = {
        key_hash(public_key(x509.load_der_x509_csr(request)))
        for request in tls_manager.certificate_requests
    }
    assert len(keys) == 1
    assert tls_manager.peers[0] == tls_manager.peers[-1]


def issued(authority: Authority, certificate: x509.Certificate) -> wire.CertificateIssued:
    return wire.CertificateIssued(
        certificates_der=[der(certificate)],
        authorities_der=[der(authority.certificate)],
        server_name=SERVER_NAME,
    )
