"""What the two ports show of themselves, made by the manager."""

import stat
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.security.examples import TestClock
from tui_manager.domain.errors import StorageError
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.enrollment_identity import (
    ENROLLMENT_NAME,
    EnrollmentIdentity,
)
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import key_hash, pin

MANAGER = str(uuid4())


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


def make(folder: Path, clock: TestClock, *names: str) -> ServerIdentity:
    return ServerIdentity(
        Authority(FolderKeys(folder), MANAGER, clock.now), folder, names, clock.now
    )


def leaf(identity: ServerIdentity) -> x509.Certificate:
    return x509.load_pem_x509_certificate(identity.chain_pem)


def test_the_servers_key_and_certificate_belong_together(tmp_path: Path, clock: TestClock) -> None:
    identity = make(tmp_path, clock, "10.0.0.1", "web01")
    key = serialization.load_pem_private_key(identity.key_pem, None)
    assert leaf(identity).public_key() == key.public_key()
    authority = x509.load_der_x509_certificate(*identity.authorities_der)
    leaf(identity).verify_directly_issued_by(authority)
    assert identity.server_name == f"{MANAGER}.tui-manager.internal"
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(files) == {"authority.key", "authority.pem", "server.key", "server.pem"}
    assert set(files.values()) == {0o600}


def test_it_stays_the_same_over_a_restart(tmp_path: Path, clock: TestClock) -> None:
    first = make(tmp_path, clock, "10.0.0.1", "web01")
    again = make(tmp_path, clock, "web01", "10.0.0.1", "web01")
    assert again.chain_pem == first.chain_pem
    assert again.key_pem == first.key_pem


def test_other_names_make_another_certificate(tmp_path: Path, clock: TestClock) -> None:
    first, second = make(tmp_path, clock, "10.0.0.1"), make(tmp_path, clock, "10.0.0.2")
    assert second.chain_pem != first.chain_pem
    names = leaf(second).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("10.0.0.2")]


def test_it_is_renewed_at_two_thirds(tmp_path: Path, clock: TestClock) -> None:
    identity = make(tmp_path, clock)
    before = leaf(identity)
    clock.pass_days(59)  # of 91, one of which was over at the start
    assert not identity.renew_if_due()
    clock.pass_days(1)
    assert identity.renew_if_due()
    assert not identity.renew_if_due()
    assert leaf(identity).public_key() == before.public_key()
    assert leaf(identity).not_valid_after_utc > before.not_valid_after_utc
    assert (tmp_path / "server.pem").read_bytes() == identity.chain_pem


def test_one_that_is_damaged_or_of_another_authority_is_made_again(
    tmp_path: Path, clock: TestClock
) -> None:
    identity = make(tmp_path, clock)
    for content in (b"junk", make(tmp_path / "other", clock).chain_pem):
        (tmp_path / "server.pem").write_bytes(content)
        again = make(tmp_path, clock)
        assert leaf(again).public_key() == leaf(identity).public_key()
    (tmp_path / "server.key").unlink()
    fresh = make(tmp_path, clock)
    assert leaf(fresh).public_key() != leaf(identity).public_key()


def test_a_renewed_authority_is_told_to_whoever_shows_it(tmp_path: Path, clock: TestClock) -> None:
    authority = Authority(FolderKeys(tmp_path), MANAGER, clock.now)
    identity = ServerIdentity(authority, tmp_path, (), clock.now)
    clock.pass_days(4000)
    assert authority.renew_if_due()
    assert identity.renew_if_due(), "also when somebody else has renewed the authority"
    assert identity.roots_pem == authority.roots_pem
    assert identity.authorities_der == (authority.certificate.public_bytes(DER),)


DER = serialization.Encoding.DER


def test_the_enrolment_port_keeps_its_pin(tmp_path: Path, clock: TestClock) -> None:
    identity = EnrollmentIdentity(FolderKeys(tmp_path), clock.now)
    first = x509.load_pem_x509_certificate(identity.certificate_pem)
    first.verify_directly_issued_by(first)
    assert identity.pin == pin(key_hash(first.public_key()))
    assert len(identity.pin) == 43
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(ENROLLMENT_NAME)]
    again = EnrollmentIdentity(FolderKeys(tmp_path), clock.now)
    assert again.certificate_pem == identity.certificate_pem
    assert stat.S_IMODE((tmp_path / "enrollment.key").stat().st_mode) == 0o600
    clock.pass_days(2600)
    assert identity.renew_if_due()
    assert identity.certificate_pem != again.certificate_pem
    assert EnrollmentIdentity(FolderKeys(tmp_path), clock.now).pin == identity.pin == again.pin


def test_a_key_of_the_ports_that_others_can_read_is_not_used(
    tmp_path: Path, clock: TestClock
) -> None:
    make(tmp_path, clock)
    EnrollmentIdentity(FolderKeys(tmp_path), clock.now)
    for name in ("server.key", "enrollment.key"):
        (tmp_path / name).chmod(0o644)
    with pytest.raises(StorageError, match=r"server\.key \(mode 0644\)"):
        make(tmp_path, clock)
    with pytest.raises(StorageError, match=r"enrollment\.key \(mode 0644\)"):
        EnrollmentIdentity(FolderKeys(tmp_path), clock.now)
