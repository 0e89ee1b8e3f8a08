"""The manager's own authority: what it issues, how it renews, how it starts."""

import stat
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.security.examples import TestClock, request
from tui_manager.domain.errors import StorageError
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.certificate_lifetimes import is_due
from tui_manager.security.certificates.certificate_requests import HostKey, read_request
from tui_manager.security.key_store import FolderKeys

MANAGER, HOST = str(uuid4()), str(uuid4())
DAY = timedelta(days=1)


def host_key() -> HostKey:
    return read_request(request(ec.generate_private_key(ec.SECP256R1())))


def read(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def authority(tmp_path: Path, clock: TestClock) -> Authority:
    return Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)


def test_it_is_made_once_and_privately(
    authority: Authority, tmp_path: Path, clock: TestClock
) -> None:
    folder = tmp_path / "security"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {
        "authority.key": 0o600,
        "authority.pem": 0o600,
    }
    again = Authority(FolderKeys(folder), MANAGER, clock.now)
    assert again.roots_pem == authority.roots_pem == (folder / "authority.pem").read_bytes()


def test_it_may_sign_others_but_no_further_authorities(
    authority: Authority, clock: TestClock
) -> None:
    own = authority.certificate
    own.verify_directly_issued_by(own)
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value == (
        x509.BasicConstraints(ca=True, path_length=0)
    )
    usage = own.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    assert own.not_valid_before_utc == clock.now() - DAY
    assert own.not_valid_after_utc == clock.now() + 3650 * DAY
    assert MANAGER in own.subject.rfc4514_string()


def test_a_hosts_certificate(authority: Authority, clock: TestClock) -> None:
    key = host_key()
    issued = authority.issue_host(key, HOST)
    (der,) = issued.chain_der
    made = read(der)
    made.verify_directly_issued_by(authority.certificate)
    assert made.public_key() == key.public_key
    assert list(names(made)) == [x509.UniformResourceIdentifier(f"urn:uuid:{HOST}")]
    assert made.subject.rfc4514_string() == f"CN={HOST}"
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.not_valid_before_utc == clock.now() - DAY
    assert made.not_valid_after_utc == issued.ends == clock.now() + 30 * DAY


def test_a_servers_certificate(authority: Authority, clock: TestClock) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    issued = authority.issue_server(key, ["10.1.2.3", "::1", "web01", "10.1.2.3"])
    made = read(issued.chain_der[0])
    made.verify_directly_issued_by(authority.certificate)
    found = names(made)
    assert found.get_values_for_type(x509.DNSName) == [
        f"{MANAGER}.tui-manager.internal",
        "web01",
    ]
    assert found.get_values_for_type(x509.IPAddress) == [ip_address("10.1.2.3"), ip_address("::1")]
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert made.not_valid_before_utc == clock.now() - DAY
    assert issued.ends == clock.now() + 90 * DAY


def test_no_two_certificates_have_one_number(authority: Authority) -> None:
    key = host_key()
    made = [read(authority.issue_host(key, HOST).chain_der[0]) for _ in range(20)]
    assert len({each.serial_number for each in made}) == 20


def test_it_renews_itself_with_the_same_key_at_two_thirds(
    authority: Authority, tmp_path: Path, clock: TestClock
) -> None:
    first = authority.certificate
    clock.pass_days(2432)  # of 3651, one of which was over at the start
    assert not authority.renew_if_due()
    clock.pass_days(2)
    assert authority.renew_if_due()
    assert not authority.renew_if_due()
    second = authority.certificate
    assert second.public_key() == first.public_key()
    assert second.subject == first.subject
    assert second.not_valid_after_utc == clock.now() + 3650 * DAY
    assert Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now).certificate == second


def test_one_that_is_due_is_renewed_when_it_starts(
    authority: Authority, tmp_path: Path, clock: TestClock
) -> None:
    clock.pass_days(4000)
    assert (
        Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now).certificate
        != authority.certificate
    )


def test_a_clock_that_was_far_ahead_is_forgotten(authority: Authority, clock: TestClock) -> None:
    clock.pass_days(-400)
    assert authority.renew_if_due()
    assert authority.certificate.not_valid_before_utc == clock.now() - DAY


def test_a_renewed_certificate_that_cannot_be_written_is_used(
    authority: Authority, tmp_path: Path, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.pass_days(4000)
    file = tmp_path / "security" / "authority.pem"
    file.unlink()
    file.mkdir()  # no file can take its place
    assert authority.renew_if_due()
    assert "could not be written" in caplog.text
    assert authority.issue_host(host_key(), HOST).ends > clock.now()


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_a_certificate_that_is_gone_or_damaged_is_made_again(
    authority: Authority, tmp_path: Path, clock: TestClock, content: bytes | None
) -> None:
    file = tmp_path / "security" / "authority.pem"
    file.unlink() if content is None else file.write_bytes(content)
    again = Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)
    assert again.certificate.public_key() == authority.certificate.public_key()
    assert file.read_bytes() == again.roots_pem


def test_a_certificate_of_another_key_or_manager_is_made_again(
    authority: Authority, tmp_path: Path, clock: TestClock
) -> None:
    other = Authority(FolderKeys(tmp_path / "other"), str(uuid4()), clock.now)
    (tmp_path / "security" / "authority.pem").write_bytes(other.roots_pem)
    again = Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)
    assert again.certificate.public_key() == authority.certificate.public_key()
    renamed = Authority(FolderKeys(tmp_path / "security"), str(uuid4()), clock.now)
    assert renamed.certificate.subject != again.certificate.subject


def test_a_lost_key_is_not_replaced_in_silence(
    authority: Authority, tmp_path: Path, clock: TestClock
) -> None:
    (tmp_path / "security" / "authority.key").unlink()
    with pytest.raises(StorageError, match=r"authority\.key, is missing.*backup.*enrol every host"):
        Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)
    (tmp_path / "security" / "authority.pem").unlink()
    fresh = Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)
    assert fresh.certificate.public_key() != authority.certificate.public_key()


def test_a_damaged_key_is_said(authority: Authority, tmp_path: Path, clock: TestClock) -> None:
    (tmp_path / "security" / "authority.key").write_bytes(b"junk")
    with pytest.raises(StorageError, match=r"authority\.key holds no key"):
        Authority(FolderKeys(tmp_path / "security"), MANAGER, clock.now)


def test_two_thirds() -> None:
    begins = TestClock().at
    ends = begins + 30 * DAY
    assert not is_due(begins, ends, begins)
    assert not is_due(begins, ends, begins + 20 * DAY - timedelta(seconds=1))
    assert is_due(begins, ends, begins + 20 * DAY)
    assert is_due(begins, ends, ends + DAY)
    assert is_due(begins, ends, begins - timedelta(seconds=1))
