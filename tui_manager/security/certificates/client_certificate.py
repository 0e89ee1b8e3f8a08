"""Reads the certificate of a client. TLS has checked that the authority signed it and that it has
not expired; the service decides whether the host is accepted."""

from datetime import datetime
from uuid import UUID

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.certificates import UNREADABLE
from tui_manager.security.keys import is_p256, key_hash

HOST_URI = "urn:uuid:"


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The facts in a host's certificate.

    Attributes:
        key_hash: of its key; it must be the key with which the host has enrolled.
    """

    host_id: str
    key_hash: bytes
    begins: datetime
    ends: datetime


def read_peer(certificate_pem: bytes) -> PeerCertificate:
    """Reads the certificate of a client.

    Args:
        certificate_pem: as gRPC gives it (`x509_pem_cert`).

    Raises:
        InvalidInputError: it is not the certificate of a host.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        public_key = certificate.public_key()
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except UNREADABLE as error:
        raise _refused("cannot be read as one") from error
    if list(usage) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        raise _refused("is not a certificate for clients")
    if not is_p256(public_key):
        raise _refused("has a key that is not ECDSA P-256")
    return PeerCertificate(
        host_id=_host_id(names),
        key_hash=key_hash(public_key),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
    )


def _host_id(names: x509.SubjectAlternativeName) -> str:
    """The only name in a host's certificate. Only the form that the authority writes is accepted,
    because another form of the same id could count as another host."""
    only = next(iter(names)) if len(list(names)) == 1 else None
    if isinstance(only, x509.UniformResourceIdentifier) and only.value.startswith(HOST_URI):
        text = only.value.removeprefix(HOST_URI)
        try:
            if str(UUID(text)) == text:
                return text
        except ValueError:
            pass
    raise _refused("does not name one host")


def _refused(what: str) -> InvalidInputError:
    return InvalidInputError("certificate", f"The client's certificate is not a host's: it {what}.")
