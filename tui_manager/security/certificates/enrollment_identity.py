"""The key and the certificate of the enrolment port. A host with a join token verifies the port by
the hash of its key, so the key stays the same as long as the manager does."""

from collections.abc import Callable
from datetime import datetime

from cryptography import x509

from tui_manager.security.certificates.certificate_lifetimes import ENROLLMENT_LIFETIME
from tui_manager.security.certificates.certificates import (
    FOR_SERVERS,
    Issuer,
    common_name,
    is_of_key,
    key_id,
    leaf_certificate,
    to_pem,
)
from tui_manager.security.certificates.own_certificate import OwnCertificate
from tui_manager.security.key_store import KeyStore
from tui_manager.security.keys import PrivateKey, key_hash, key_pem, pin

ENROLLMENT_NAME = "enroll.tui-manager.internal"
_CERTIFICATE = "enrollment.pem"


class EnrollmentIdentity:
    """The key of a KeyStore, and a certificate that it has signed itself.

    Raises:
        StorageError: the files cannot be read or written.
    """

    def __init__(self, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._key = keys.enrollment_key()
        self._certificate = OwnCertificate(
            keys.folder / _CERTIFICATE,
            now,
            lambda: _self_signed(self._key, now()),
            lambda found: is_of_key(found, self._key),
        )

    @property
    def key_pem(self) -> bytes:
        """The private key, PEM."""
        return key_pem(self._key)

    @property
    def certificate_pem(self) -> bytes:
        """The self-signed certificate."""
        return to_pem(self._certificate.certificate)

    @property
    def pin(self) -> str:
        """The hash of the key, as join tokens carry it."""
        return pin(key_hash(self._key.public_key()))

    @property
    def ends(self) -> datetime:
        """When the certificate expires."""
        return self._certificate.certificate.not_valid_after_utc

    def renew_if_due(self) -> bool:
        """Renews the certificate with the same key if it is due; True if so."""
        return self._certificate.renew_if_due()


def _self_signed(key: PrivateKey, now: datetime) -> x509.Certificate:
    public_key, subject = key.public_key(), common_name(ENROLLMENT_NAME)
    key_name = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id(public_key))
    return leaf_certificate(
        Issuer(subject, key, key_name),
        subject,
        public_key,
        [x509.DNSName(ENROLLMENT_NAME)],
        FOR_SERVERS,
        now,
        now + ENROLLMENT_LIFETIME,
    )
