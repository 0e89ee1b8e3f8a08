"""Certificates that the operator brings: taken up, and looked at again."""

from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.security.examples import SigningKey, TestClock, name, request
from tests.security.handshakes import client, command_port, connects, listening_port, pem
from tests.security.pki import (
    CLIENT,
    DAY,
    MANAGER,
    Files,
    Pki,
    authority_of,
    new_key,
    server_of,
    supplied_by,
)
from tui_manager.domain.errors import StorageError
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.certificate_requests import read_request
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import key_pem


async def test_an_authority_that_is_brought_vouches_for_hosts(
    of_authority: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    authority = authority_of(of_authority, clock, tmp_path)
    server = ServerIdentity(authority, tmp_path / "security", ["127.0.0.1"], clock.now)
    assert not (tmp_path / "security" / "authority.key").exists()
    key, host_id = new_key(), str(uuid4())
    issued = authority.issue_host(read_request(request(key)), host_id)
    roots = authority.certificate.public_bytes(serialization.Encoding.PEM)
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:uuid:{host_id}")])
    beside = (
        x509.CertificateBuilder(
            name(host_id), name("root"), key.public_key(), 7, clock.now() - DAY, clock.now() + DAY
        )
        .add_extension(uri, critical=False)
        .add_extension(x509.ExtendedKeyUsage([CLIENT]), critical=False)
        .sign(pki.root_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    async with listening_port(command_port(server)) as echo_server:
        assert await connects(
            echo_server.address, client(roots, key, pem(issued)), server.server_name
        )
        assert not await connects(
            echo_server.address, client(roots, key, beside), server.server_name
        ), "who stands above the authority does not vouch for hosts"


async def test_a_server_that_is_brought_is_known_by_the_host_dialed(
    of_server: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    own = Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)
    supplied = supplied_by(of_server)
    server = ServerIdentity(own, tmp_path / "security", (), clock.now, **supplied)
    assert server.server_name == ""
    assert [x509.load_der_x509_certificate(der) for der in server.authorities_der] == [
        pki.authority,
        pki.root,
    ]
    assert not (tmp_path / "security" / "server.key").exists()
    key = new_key()
    certificate = pem(own.issue_host(read_request(request(key)), str(uuid4())))
    async with listening_port(command_port(server)) as echo_server:
        for authority in (pki.authority, pki.root):
            roots = authority.public_bytes(serialization.Encoding.PEM)
            assert await connects(f"localhost:{echo_server.port}", client(roots, key, certificate))
            assert not await connects(
                f"127.0.0.1:{echo_server.port}", client(roots, key, certificate)
            )


def test_rsa_and_larger_curves_can_be_brought(pki: Pki, clock: TestClock, tmp_path: Path) -> None:
    keys: tuple[SigningKey, ...] = (
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
    )
    for number, key in enumerate(keys):
        files = Files(tmp_path / str(number))
        files.write(key, pki.sub_authority(key))
        authority = authority_of(files, clock, tmp_path)
        assert authority.certificate.public_key() == key.public_key()
        issued = authority.issue_host(read_request(request(new_key())), str(uuid4()))
        made = x509.load_der_x509_certificate(issued.chain_der[0])
        made.verify_directly_issued_by(authority.certificate)


def test_a_group_may_read_a_key_that_is_brought(
    of_authority: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    of_authority.key.chmod(0o640)
    assert authority_of(of_authority, clock, tmp_path).certificate == pki.authority


def test_nothing_is_issued_past_the_end_of_the_authority(
    of_authority: Files, clock: TestClock, tmp_path: Path
) -> None:
    authority = authority_of(of_authority, clock, tmp_path)
    server = ServerIdentity(authority, tmp_path / "security", (), clock.now)
    clock.pass_days(290)
    assert server.renew_if_due()
    assert not server.renew_if_due()
    key = read_request(request(new_key()))
    assert authority.issue_host(key, str(uuid4())).ends == authority.certificate.not_valid_after_utc
    clock.pass_days(9.9)
    assert not server.renew_if_due(), "another one would end at the same time"
    clock.pass_days(0.1)
    with pytest.raises(StorageError, match="authority's certificate expired"):
        authority.issue_host(key, str(uuid4()))
    with pytest.raises(StorageError, match="authority's certificate expired"):
        server.renew_if_due()


def test_the_operator_is_told_in_time_what_ends(
    of_authority: Files, of_server: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    authority = authority_of(of_authority, clock, tmp_path)
    supplied = supplied_by(of_server)
    server = ServerIdentity(authority, tmp_path / "security", (), clock.now, **supplied)
    clock.pass_days(285)
    assert not server.renew_if_due()
    assert (server.problem, authority.problem) == ("", "")
    clock.pass_days(2)
    assert f"server_certificate: {of_server.certificate} expires on 20" in server.problem
    assert f"authority_certificate: {of_authority.certificate} expires on 20" in authority.problem
    clock.pass_days(13)
    assert "expired on 20" in server.problem
    key, fresh = new_key(), Pki(clock)
    of_server.write(key, fresh.server(key), fresh.authority)
    server.renew_if_due()
    assert "authority_certificate" in server.problem, "that of the server is well again"
    of_authority.write(fresh.key, fresh.authority)
    server.renew_if_due()
    assert (server.problem, authority.problem) == ("", "")


def test_a_new_certificate_of_the_authority_is_taken_up(
    of_authority: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    authority = authority_of(of_authority, clock, tmp_path)
    server = ServerIdentity(authority, tmp_path / "security", (), clock.now)
    assert not server.renew_if_due()
    shown = server.chain_pem
    of_authority.write_certificates(pki.sub_authority(), pki.root)
    assert server.renew_if_due()
    assert not server.renew_if_due()
    assert server.roots_pem == authority.roots_pem
    assert authority.certificate != pki.authority
    assert server.chain_pem == shown, "the same key has signed it"
    key = new_key()
    of_authority.write(key, pki.sub_authority(key), pki.root)
    assert server.renew_if_due()
    assert server.chain_pem != shown
    certificate = x509.load_pem_x509_certificate(server.chain_pem)
    certificate.verify_directly_issued_by(authority.certificate)


def test_a_new_certificate_of_the_server_is_taken_up(
    of_server: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    server = server_of(of_server, clock, tmp_path)
    assert not server.renew_if_due()
    key = new_key()
    fresh = pki.server(key)
    of_server.write_certificates(fresh, pki.authority, pki.root)
    before = server.chain_pem
    assert not server.renew_if_due(), "half of the pair is new"
    assert server.chain_pem == before
    assert "server_certificate: " in server.problem
    assert "does not belong to the key" in server.problem
    of_server.write(key, fresh, pki.authority, pki.root)
    assert server.renew_if_due()
    assert server.problem == ""
    assert x509.load_pem_x509_certificate(server.chain_pem) == fresh
    assert server.key_pem == key_pem(key)


def test_bad_files_are_said_once_and_what_was_known_stays(
    of_server: Files,
    of_authority: Files,
    clock: TestClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = authority_of(of_authority, clock, tmp_path)
    supplied = supplied_by(of_server)
    server = ServerIdentity(authority, tmp_path / "security", (), clock.now, **supplied)
    before = (server.chain_pem, server.key_pem, server.roots_pem, server.authorities_der)
    of_server.certificate.unlink()
    of_authority.key.write_text("junk")
    for _ in range(3):
        assert not server.renew_if_due()
    assert before == (server.chain_pem, server.key_pem, server.roots_pem, server.authorities_der)
    assert f"server_certificate: {of_server.certificate} does not exist." == server.problem
    assert "authority_key" in authority.problem
    assert len(caplog.records) == 2


def test_one_of_several_managers_uses_renewed_certificates_and_none_of_another_authority(
    of_authority: Files, of_server: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    authority = authority_of(of_authority, clock, tmp_path, fixed=True)
    server = server_of(of_server, clock, tmp_path, fixed=True)
    before = (authority.fingerprint, server.authority_fingerprint)

    renewed, key = pki.sub_authority(), new_key()
    of_authority.write_certificates(renewed, pki.root)
    of_server.write(key, pki.server(key), renewed, pki.root)
    assert authority.renew_if_due()
    assert server.renew_if_due()
    assert authority.certificate == renewed
    assert (authority.fingerprint, server.authority_fingerprint) == before

    other = Pki(clock)
    of_authority.write(other.key, other.authority, other.root)
    of_server.write(key, other.server(key), other.authority, other.root)
    assert not authority.renew_if_due()
    assert not server.renew_if_due()
    assert authority.certificate == renewed
    assert (authority.fingerprint, server.authority_fingerprint) == before
    for problem in (authority.problem, server.problem):
        assert "is of another authority than before" in problem


def test_a_single_manager_may_change_its_authority(
    of_authority: Files, clock: TestClock, tmp_path: Path
) -> None:
    authority = authority_of(of_authority, clock, tmp_path)
    before, other = authority.fingerprint, Pki(clock)
    of_authority.write(other.key, other.authority, other.root)
    assert authority.renew_if_due()
    assert authority.fingerprint != before
    assert authority.problem == ""
