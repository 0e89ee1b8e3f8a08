"""Who stands behind a client certificate."""

from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.security.examples import TestClock, name
from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.client_certificate import read_peer
from tui_manager.security.keys import key_hash

KEY = ec.generate_private_key(ec.SECP256R1())
HOST = "0b5ce1b4-2f0a-4a4b-9d6e-7c1a52f0de11"
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
CLOCK = TestClock()
TODAY = CLOCK.now()


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def certificate(
    names: list[x509.GeneralName] | None,
    usage: list[x509.ObjectIdentifier] | None,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(HOST))
        .issuer_name(name("somebody"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(TODAY)
        .not_valid_after(TODAY + timedelta(days=3))
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_hosts_certificate_names_host_key_and_times() -> None:
    peer = read_peer(certificate([uri(f"urn:uuid:{HOST}")], [CLIENT]))
    assert peer.host_id == HOST
    assert peer.key_hash == key_hash(KEY.public_key())
    assert (peer.begins, peer.ends) == (TODAY, TODAY + timedelta(days=3))


GOOD = uri(f"urn:uuid:{HOST}")


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (certificate(None, [CLIENT]), "cannot be read"),
        (certificate([GOOD], None), "cannot be read"),
        (certificate([GOOD], [SERVER]), "not a certificate for clients"),
        (certificate([GOOD], [CLIENT, SERVER]), "not a certificate for clients"),
        (certificate([x509.DNSName(HOST)], [CLIENT]), "does not name one host"),
        (certificate([GOOD, uri(f"urn:uuid:{uuid4()}")], [CLIENT]), "does not name one host"),
        (certificate([GOOD, x509.DNSName("web01")], [CLIENT]), "does not name one host"),
        (certificate([uri(f"urn:uuid:{HOST.upper()}")], [CLIENT]), "does not name one host"),
        (certificate([uri(f"urn:uuid:{HOST}x")], [CLIENT]), "does not name one host"),
        (certificate([uri("urn:uuid:../../etc")], [CLIENT]), "does not name one host"),
        (certificate([uri(f"https://example.org/{HOST}")], [CLIENT]), "does not name one host"),
        (certificate([GOOD], [CLIENT], rsa.generate_private_key(65537, 2048)), "not ECDSA P-256"),
    ],
)
def test_what_is_no_hosts_certificate(pem: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as error:
        read_peer(pem)
    assert error.value.field == "certificate"
