"""A certificate authority of the tests' own, which also issues what no manager would."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

MONTH = timedelta(days=30)
DAY = timedelta(days=1)
ENROLLMENT_NAME = "enroll.tui-manager.internal"


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_hash(key: ec.EllipticCurvePublicKey) -> bytes:
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


class Authority:
    """Signs everything that it is asked to sign.

    Attributes:
        certificate: its own.
    """

    def __init__(self, name: str = "tests") -> None:
        self._key = new_key()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self._name, self._key.public_key(), (), MONTH, authority=True)

    def host(
        self,
        key: ec.EllipticCurvePublicKey,
        host_id: str,
        lasts: timedelta = MONTH,
        ahead: timedelta = timedelta(0),
    ) -> x509.Certificate:
        """`lasts` is negative for one that has ended; `ahead` is how wrong the clock is."""
        uri = x509.UniformResourceIdentifier(f"urn:uuid:{host_id}")
        return self._sign(_named(host_id), key, [uri], lasts, ahead=ahead)

    def server(
        self, key: ec.EllipticCurvePublicKey, name: str, lasts: timedelta = MONTH
    ) -> x509.Certificate:
        """`name` is an address or of DNS."""
        try:
            alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        return self._sign(_named(name), key, [alternative], lasts)

    def server_credentials(
        self, name: str, *, clients: "Authority | None", lasts: timedelta = MONTH
    ) -> grpc.ServerCredentials:
        """What a port shows that is called `name`, and whose clients it lets in."""
        key = new_key()
        shown = [(key_pem(key), pem(self.server(key.public_key(), name, lasts)))]
        roots = pem(clients.certificate) if clients else None
        return grpc.ssl_server_credentials(shown, roots, clients is not None)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        lasts: timedelta,
        *,
        authority: bool = False,
        ahead: timedelta = timedelta(0),
    ) -> x509.Certificate:
        now = datetime.now(UTC) + ahead
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY if lasts > -DAY / 2 else now + 2 * lasts)
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class EnrollmentKey:
    """The key of an enrolment port and its self-signed certificate.

    Attributes:
        pin: as it stands in join tokens.
    """

    def __init__(self, lasts: timedelta = MONTH) -> None:
        signer = Authority(ENROLLMENT_NAME)
        self.key = signer._key
        self.certificate = signer.server(self.key.public_key(), ENROLLMENT_NAME, lasts)
        digest = key_hash(self.key.public_key())
        self.pin = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def server_credentials(self) -> grpc.ServerCredentials:
        return grpc.ssl_server_credentials([(key_pem(self.key), pem(self.certificate))])


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
