"""Makes certificates and compares them with keys. How long they last is in
`certificate_lifetimes.py`; who gets one is decided elsewhere."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.security.certificates.certificate_lifetimes import BACKDATED

# Kinds of keys that gRPC can use; of these the manager itself makes only P-256.
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# What `cryptography` raises for bytes that are no certificate or request, or an unusual one.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

FOR_SERVERS = ExtendedKeyUsageOID.SERVER_AUTH
FOR_CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Issuer:
    """Name and key of the authority that signs."""

    subject: x509.Name
    key: SigningKey
    key_id: x509.AuthorityKeyIdentifier


def common_name(text: str) -> x509.Name:
    """A subject of one name, at most 64 characters."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority_certificate(
    subject: x509.Name, key: SigningKey, now: datetime, lifetime: timedelta
) -> x509.Certificate:
    """A self-signed certificate that can sign others, but no further authorities."""
    return (
        _certificate_builder(subject, subject, key.public_key(), now, now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(key_id(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def leaf_certificate(
    issuer: Issuer,
    subject: x509.Name,
    public_key: PublicKey,
    names: Sequence[x509.GeneralName],
    purpose: ObjectIdentifier,
    now: datetime,
    ends: datetime,
) -> x509.Certificate:
    """A certificate that signs nothing, for one purpose: FOR_SERVERS or FOR_CLIENTS."""
    return (
        _certificate_builder(subject, issuer.subject, public_key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(key_id(public_key), critical=False)
        .add_extension(issuer.key_id, critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def key_id(public_key: PublicKey) -> x509.SubjectKeyIdentifier:
    """How certificates refer to a key."""
    return x509.SubjectKeyIdentifier.from_public_key(public_key)


def is_of_key(certificate: x509.Certificate, key: SigningKey) -> bool:
    """Whether a certificate and a private key belong together."""
    return certificate.public_key() == key.public_key()


def authority_fingerprint(certificate: x509.Certificate) -> str:
    """What stays the same of an authority when its certificate is renewed: SHA-256 of its name and
    its public key, hexadecimal. By these two, what it has signed is verified."""
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(certificate.subject.public_bytes() + key).hexdigest()


def to_pem(*certificates: x509.Certificate) -> bytes:
    """Certificates as a file holds them."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def to_der(certificate: x509.Certificate) -> bytes:
    """A certificate as the wire carries it."""
    return certificate.public_bytes(serialization.Encoding.DER)


def _certificate_builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
