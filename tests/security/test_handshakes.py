"""What is issued, in the hands of gRPC: who gets in, and who does not."""

import asyncio
import hashlib
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.security.examples import TestClock, request
from tests.security.handshakes import client, command_port, connects, listening_port, pem
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.certificate_requests import read_request
from tui_manager.security.certificates.certificates import to_pem
from tui_manager.security.certificates.enrollment_identity import (
    ENROLLMENT_NAME,
    EnrollmentIdentity,
)
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import PrivateKey, key_hash, key_pem, pin


@dataclass(slots=True)
class Manager:
    """The parts of a manager whose clock the test sets."""

    clock: TestClock
    authority: Authority
    server: ServerIdentity

    def roots(self) -> bytes:
        """What hosts were told."""
        return to_pem(*map(x509.load_der_x509_certificate, self.server.authorities_der))

    def host(self, key: PrivateKey, host_id: str = "") -> bytes:
        """The certificate of a host."""
        host_key = read_request(request(key))
        return pem(self.authority.issue_host(host_key, host_id or str(uuid4())))


def make_manager(folder: Path, *, days_ago: float = 0, manager_id: str = "") -> Manager:
    clock = TestClock()
    clock.pass_days(-days_ago)
    authority = Authority(FolderKeys(folder), manager_id or str(uuid4()), clock.now)
    return Manager(clock, authority, ServerIdentity(authority, folder, ["127.0.0.1"], clock.now))


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return make_manager(tmp_path / "security")


@pytest.fixture
def key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


async def test_a_host_gets_in_and_is_known(manager: Manager, key: PrivateKey) -> None:
    host_id = str(uuid4())
    async with listening_port(command_port(manager.server)) as echo_server:
        credentials = client(manager.roots(), key, manager.host(key, host_id))
        assert await connects(echo_server.address, credentials, manager.server.server_name)
        assert await connects(echo_server.address, credentials), (
            "its address is in the certificate too"
        )
        assert not await connects(echo_server.address, credentials, "another.tui-manager.internal")
    assert {peer.host_id for peer in echo_server.seen} == {host_id}
    assert {peer.key_hash for peer in echo_server.seen} == {key_hash(key.public_key())}


async def test_nobody_else_gets_in(manager: Manager, key: PrivateKey, tmp_path: Path) -> None:
    roots, name = manager.roots(), manager.server.server_name
    other = make_manager(tmp_path / "other")
    late = make_manager(tmp_path / "security", days_ago=40)
    own_server = serialization.load_pem_private_key(manager.server.key_pem, None)
    enrollment = EnrollmentIdentity(FolderKeys(tmp_path / "security"), manager.clock.now)
    enrollment_key = serialization.load_pem_private_key(enrollment.key_pem, None)
    assert isinstance(own_server, ec.EllipticCurvePrivateKey)
    assert isinstance(enrollment_key, ec.EllipticCurvePrivateKey)
    strangers = {
        "no certificate": client(roots),
        "of another authority": client(roots, key, other.host(key)),
        "expired": client(roots, key, late.host(key)),
        "a server's": client(roots, own_server, manager.server.chain_pem),
        "the enrolment port's": client(roots, enrollment_key, enrollment.certificate_pem),
    }
    async with listening_port(command_port(manager.server)) as echo_server:
        for who, credentials in strangers.items():
            assert not await connects(echo_server.address, credentials, name), who
        assert echo_server.seen == []
        assert await connects(echo_server.address, client(roots, key, manager.host(key)), name)


async def test_a_host_is_not_believed_as_the_server(manager: Manager, key: PrivateKey) -> None:
    true = [(manager.server.key_pem, manager.server.chain_pem)]
    false = [(key_pem(key), manager.host(key))]
    for shows, believed in ((true, True), (false, False)):
        async with listening_port(grpc.ssl_server_credentials(shows)) as echo_server:
            asked = client(manager.roots())
            assert (
                await connects(echo_server.address, asked, manager.server.server_name) is believed
            )


async def test_renewed_certificates_are_shown_without_a_restart(
    tmp_path: Path, key: PrivateKey
) -> None:
    manager = make_manager(tmp_path, days_ago=9 * 365)
    old_roots, name = manager.roots(), manager.server.server_name
    async with listening_port(command_port(manager.server)) as echo_server:
        before = await asyncio.to_thread(_credentials, echo_server.port)
        manager.clock.at = TestClock().at
        assert not await connects(
            echo_server.address, client(old_roots, key, manager.host(key)), name
        )
        assert manager.server.renew_if_due()
        assert not manager.server.renew_if_due()
        assert await asyncio.to_thread(_credentials, echo_server.port) != before
        certificate = manager.host(key)
        assert manager.roots() != old_roots
        assert await connects(echo_server.address, client(manager.roots(), key, certificate), name)
        assert await connects(echo_server.address, client(old_roots, key, certificate), name), (
            "who knows the authority by its old certificate knows it by its key"
        )


async def test_a_certificate_outlives_the_renewal_of_its_authority(
    tmp_path: Path, key: PrivateKey
) -> None:
    manager = make_manager(tmp_path, days_ago=9 * 365)
    manager.clock.at = TestClock().at
    certificate, before = manager.host(key), manager.authority.roots_pem
    manager.server.renew_if_due()
    assert manager.authority.roots_pem != before
    async with listening_port(command_port(manager.server)) as echo_server:
        credentials = client(manager.roots(), key, certificate)
        assert await connects(echo_server.address, credentials, manager.server.server_name)


async def test_the_enrolment_port_is_known_by_its_pin(tmp_path: Path) -> None:
    clock = TestClock()
    identity, other = (
        EnrollmentIdentity(FolderKeys(tmp_path / name), clock.now) for name in ("a", "b")
    )
    shows = grpc.ssl_server_credentials([(identity.key_pem, identity.certificate_pem)])
    async with listening_port(shows) as echo_server:
        leaf = x509.load_der_x509_certificate(
            await asyncio.to_thread(_credentials, echo_server.port)
        )
        spki = leaf.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert pin(hashlib.sha256(spki).digest()) == identity.pin != other.pin
        assert await connects(echo_server.address, client(to_pem(leaf)), ENROLLMENT_NAME)
        assert not await connects(
            echo_server.address, client(other.certificate_pem), ENROLLMENT_NAME
        )


def _credentials(port: int) -> bytes:
    """The certificate that a server shows to whoever asks."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=20))


async def test_managers_that_share_a_key_accept_each_others_hosts(
    tmp_path: Path, key: PrivateKey
) -> None:
    """Each has made a certificate of its own for the shared key, at another time."""
    manager_id = str(uuid4())
    one = make_manager(tmp_path / "one", manager_id=manager_id)
    (tmp_path / "two").mkdir()
    shutil.copy(tmp_path / "one" / "authority.key", tmp_path / "two" / "authority.key")
    two = make_manager(tmp_path / "two", manager_id=manager_id, days_ago=400)
    two.clock.at = TestClock().at
    assert two.server.renew_if_due()
    assert one.roots() != two.roots()
    assert one.server.server_name == two.server.server_name
    for joined, dialed in ((one, two), (two, one)):
        async with listening_port(command_port(dialed.server)) as echo_server:
            credentials = client(joined.roots(), key, joined.host(key))
            assert await connects(echo_server.address, credentials, joined.server.server_name)
