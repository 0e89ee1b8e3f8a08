"""The host's key and what is signed with it; also a child program, for a certificate's renewal.

    python -P -m tui_manager_agent.identity.keys request | accept

reads a record from stdin and writes one to stdout. The agent itself never imports this: the
memory that cryptography needs is freed when the child ends.
"""

import base64
import hashlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tui_manager_agent.identity.child_process import answer_agent
from tui_manager_agent.identity.credentials import KEY
from tui_manager_agent.supervisor import record

# What is raised if bytes are no certificate, or a malformed one.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class KeyProblemError(Exception):
    """The text is for the host's owner."""


def load(folder: Path) -> EllipticCurvePrivateKey:
    """Raises OSError, FileNotFoundError among them, and KeyProblemError."""
    path = folder / KEY
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyProblemError(f"The key {path} cannot be read: {error}.") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != SECP256R1.name:
        raise KeyProblemError(f"The key {path} is not an ECDSA key on P-256.")
    return key


def load_or_make(folder: Path) -> EllipticCurvePrivateKey:
    """The one key of this host, which is durable before it is returned.

    If several processes make it at once, one wins, and all return its key. Raises as `load` does.
    """
    while True:
        try:
            return load(folder)
        except FileNotFoundError:
            _make(folder)


def _make(folder: Path) -> None:
    """Makes a key, unless there is one. If several processes do so, there may be none yet."""
    key = generate_private_key(SECP256R1())
    for left_by_a_crash in folder.glob(f"{KEY}.*"):
        left_by_a_crash.unlink(missing_ok=True)
    draft = folder / f"{KEY}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        record.write_all(descriptor, pem)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with suppress(FileExistsError, FileNotFoundError):  # another process was first
        os.link(draft, folder / KEY)
    draft.unlink(missing_ok=True)
    record.sync_folder(str(folder))


def key_hash(owner: x509.Certificate | EllipticCurvePrivateKey) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo, as certificates hold it."""
    info = owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()


def request(key: EllipticCurvePrivateKey) -> bytes:
    """A certificate request, DER; its subject is ignored."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def sign(key: EllipticCurvePrivateKey, message: bytes) -> bytes:
    """A signature (ECDSA with SHA-256, DER)."""
    return key.sign(message, ECDSA(hashes.SHA256()))


def public_key(key: EllipticCurvePrivateKey) -> bytes:
    """The SubjectPublicKeyInfo, DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def accept(
    key: EllipticCurvePrivateKey,
    host_id: str,
    certificates: Iterable[bytes],
    authorities: Iterable[bytes],
) -> dict[str, str]:
    """The fields of credentials that come from certificates in DER. Raises KeyProblemError."""
    try:
        chain = [x509.load_der_x509_certificate(der) for der in certificates]
        trusted = [x509.load_der_x509_certificate(der) for der in authorities]
        if not chain or not trusted:
            raise KeyProblemError("The manager has sent no certificate.")
        if key_hash(chain[0]) != key_hash(key):
            raise KeyProblemError("The manager has sent the certificate of another key.")
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except UNREADABLE as error:
        raise KeyProblemError(f"The manager has sent what is no certificate: {error}.") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if uris != [f"urn:uuid:{host_id}"]:
        raise KeyProblemError(f"The manager has sent the certificate of another host: {uris}.")
    return {
        "key_hash": key_hash(key).hex(),
        "begins": str(int(chain[0].not_valid_before_utc.timestamp())),
        "ends": str(int(chain[0].not_valid_after_utc.timestamp())),
        "chain": _pem(chain),
        "authorities": _pem(trusted),
    }


def _pem(certificates: Iterable[x509.Certificate]) -> str:
    """On lines of their own, so that `openssl x509 -in` finds the first one in the record."""
    return "\n" + "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)


def _answer(verb: str, order: dict[str, str]) -> dict[str, str]:
    try:
        key = load(Path(order["folder"]))
        if verb == "request":
            return {"csr": request(key).hex()}
        certificates, authorities = (
            [base64.b64decode(part) for part in order[name].split()]
            for name in ("certificates", "authorities")
        )
        return accept(key, order["host_id"], certificates, authorities)
    except (KeyProblemError, OSError) as error:
        return {"problem": str(error)}


if __name__ == "__main__":
    answer_agent(partial(_answer, sys.argv[1]))
