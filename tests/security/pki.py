"""An organisation's own certificates, and the files that it would bring."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypedDict
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.security.examples import SigningKey, TestClock, name
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import FolderKeys

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
DAY = timedelta(days=1)
MANAGER = str(uuid4())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Pki:
    """An organisation's certificates: a root, an authority below it, and what they sign."""

    def __init__(self, clock: TestClock) -> None:
        self.clock = clock
        self.root_key, self.key = new_key(), new_key()
        self.root = self.make("root", self.root_key.public_key(), self.root_key, authority=True)
        self.authority = self.sub_authority()

    def sub_authority(
        self, key: SigningKey | None = None, usage: Sequence[ObjectIdentifier] = ()
    ) -> x509.Certificate:
        public_key = (key or self.key).public_key()
        return self.make("sub", public_key, self.root_key, "root", authority=True, usage=usage)

    def server(
        self,
        key: SigningKey,
        names: Sequence[str] = ("localhost",),
        *,
        begins: float = -1,
        ends: float = 300,
    ) -> x509.Certificate:
        return self.make(
            "server", key.public_key(), self.key, "sub", names=names, begins=begins, ends=ends
        )

    def make(
        self,
        subject: str,
        public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey,
        issuer_key: SigningKey,
        issuer: str = "",
        *,
        names: Sequence[str] = (),
        usage: Sequence[ObjectIdentifier] = (),
        authority: bool = False,
        begins: float = -1,
        ends: float = 300,
    ) -> x509.Certificate:
        now = self.clock.now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer or subject))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * DAY)
            .not_valid_after(now + ends * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(issuer_key, algorithm)


class Files:
    """A certificate's file and a key's, as the settings name them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"

    def write(self, key: SigningKey, *certificates: x509.Certificate, mode: int = 0o600) -> None:
        self.write_certificates(*certificates)
        self.key.write_bytes(to_pem(key))
        self.key.chmod(mode)

    def write_certificates(self, *certificates: x509.Certificate) -> None:
        """As tools do it: another file takes the name."""
        fresh = self.certificate.with_suffix(".new")
        pems = (each.public_bytes(serialization.Encoding.PEM) for each in certificates)
        fresh.write_bytes(b"".join(pems))
        fresh.replace(self.certificate)


def to_pem(key: SigningKey, password: bytes = b"") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


def authority_of(files: Files, clock: TestClock, folder: Path, *, fixed: bool = False) -> Authority:
    keys, supplied = FolderKeys(folder / "security"), supplied_by(files)
    return Authority(keys, MANAGER, clock.now, fixed=fixed, **supplied)


def server_of(
    files: Files, clock: TestClock, folder: Path, *, fixed: bool = False
) -> ServerIdentity:
    own = Authority(FolderKeys(folder / "security"), MANAGER, clock.now)
    supplied = supplied_by(files)
    return ServerIdentity(own, folder / "security", (), clock.now, fixed=fixed, **supplied)


class Supplied(TypedDict):
    """Arguments of an Authority or a ServerIdentity."""

    certificate: Path
    key: Path


def supplied_by(files: Files) -> Supplied:
    return {"certificate": files.certificate, "key": files.key}
