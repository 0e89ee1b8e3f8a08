"""Requests, certificates and clocks for the tests of this folder."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def request(
    key: SigningKey,
    algorithm: hashes.SHA256 | hashes.SHA224 | None = hashes.SHA256(),  # noqa: B008
    *,
    names: x509.SubjectAlternativeName | None = None,
) -> bytes:
    """A PKCS #10 request, DER."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name("root"))
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


@dataclass(slots=True)
class TestClock:
    """Says what it is told."""

    __test__ = False
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def now(self) -> datetime:
        return self.at

    def pass_days(self, days: float) -> None:
        self.at += timedelta(days=days)
