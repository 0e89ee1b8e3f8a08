"""Reads and checks certificate requests, which unknown hosts send."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import SignatureAlgorithmOID
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.fingerprint import fingerprint

from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.certificates import UNREADABLE
from tui_manager.security.keys import is_p256, key_hash

REQUEST_MAX = 4096  # bytes; an agent's request has about 250
_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key; its host has proved that it holds the private key.

    Attributes:
        key_hash: SHA-256 of the DER SubjectPublicKeyInfo; identifies the host in the database.
        fingerprint: in words.
    """

    public_key: ec.EllipticCurvePublicKey
    key_hash: bytes
    fingerprint: str


def read_request(csr_der: bytes) -> HostKey:
    """The key of a PKCS #10 request, which must be signed with this key. Subject and extensions are
    ignored, because the manager decides what a certificate says.

    Raises:
        InvalidInputError: too large, damaged, of another kind than ECDSA P-256, or not signed by
            its own key.
    """
    if len(csr_der) > REQUEST_MAX:
        raise _refused(f"has {len(csr_der):,} bytes; {REQUEST_MAX:,} are allowed")
    try:
        request = x509.load_der_x509_csr(csr_der)
        public_key = request.public_key()
        if not isinstance(public_key, ec.EllipticCurvePublicKey) or not is_p256(public_key):
            raise _refused("is of a key that is not ECDSA P-256")
        signed = request.signature_algorithm_oid in _SIGNATURES and request.is_signature_valid
    except UNREADABLE as error:
        raise _refused("cannot be read") from error
    if not signed:
        raise _refused("is not signed by its own key")
    hashed = key_hash(public_key)
    return HostKey(public_key, hashed, fingerprint(hashed))


def _refused(what: str) -> InvalidInputError:
    return InvalidInputError("csr", f"The certificate request {what}.")
