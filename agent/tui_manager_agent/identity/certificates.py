"""The certificates of this host's key: what the agent asks for, and what the manager sends."""

import base64
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tui_manager_agent.identity.keys import KeyProblemError, key_hash, load

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


def request(key: EllipticCurvePrivateKey) -> bytes:
    """A certificate request, DER; its subject is ignored."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


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


def answer(verb: str, order: dict[str, str]) -> dict[str, str]:
    """Answers the agent; called in the child program that `keys.py` is."""
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
