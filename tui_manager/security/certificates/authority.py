"""The certificate authority of the managers: it signs the certificates of hosts and managers."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.certificates.certificate_lifetimes import (
    AUTHORITY_LIFETIME,
    HOST_LIFETIME,
    SERVER_LIFETIME,
)
from tui_manager.security.certificates.certificate_requests import HostKey
from tui_manager.security.certificates.certificates import (
    FOR_CLIENTS,
    FOR_SERVERS,
    Issuer,
    PublicKey,
    SigningKey,
    authority_certificate,
    authority_fingerprint,
    common_name,
    is_of_key,
    key_id,
    leaf_certificate,
    to_der,
    to_pem,
)
from tui_manager.security.certificates.client_certificate import HOST_URI
from tui_manager.security.certificates.own_certificate import OwnCertificate
from tui_manager.security.certificates.supplied_certificate import (
    SuppliedCertificate,
    SuppliedFiles,
    allows_purpose,
)
from tui_manager.security.key_store import AUTHORITY_CERTIFICATE, KeyStore
from tui_manager.security.keys import PrivateKey

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that was issued.

    Attributes:
        chain_der: the certificate first, then the certificates up to the authority.
    """

    chain_der: tuple[bytes, ...]
    begins: datetime
    ends: datetime


class Authority:
    """The authority of a KeyStore's key, or the operator's own.

    Args:
        manager_id: is a name in the certificate of the server.
        certificate, key: of the operator's own authority; both or none.
        fixed: the operator's files may be renewed, but not by those of another authority.

    Raises:
        StorageError: the key cannot be read or is gone, or the certificate cannot be written.
        InvalidInputError: the operator's files cannot be used.
    """

    def __init__(
        self,
        keys: KeyStore,
        manager_id: str,
        now: Callable[[], datetime],
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        fixed: bool = False,
    ) -> None:
        self._now, self._fixed = now, fixed
        self.server_name = f"{manager_id}.tui-manager.internal"
        self._error = ""
        self._own: OwnCertificate | None = None
        self._files: SuppliedFiles | None = None
        self._key: SigningKey
        if certificate and key:
            self._files = SuppliedFiles("authority", certificate, key, now, _check)
            supplied = self._files.read()
            self._key, self._certificate = supplied.key, supplied.own
        else:
            self._key, self._own = _own_authority(keys, manager_id, now)
            self._certificate = self._own.certificate

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the authority itself."""
        return self._certificate

    @property
    def fingerprint(self) -> str:
        """See `authority_fingerprint`."""
        return authority_fingerprint(self._certificate)

    @property
    def problem(self) -> str:
        """What is wrong with the operator's files, as a sentence; empty: nothing."""
        return self._error or (self._files.expiry_warning(self._certificate) if self._files else "")

    @property
    def roots_pem(self) -> bytes:
        """The certificate by which client certificates are verified. Of the operator's own
        authority it is the one that signs our hosts, never one above it that signs for others
        too."""
        return to_pem(self._certificate)

    def issue_host(self, key: HostKey, host_id: str) -> IssuedCertificate:
        """A certificate for a host, valid only as the client `host_id`.

        Raises:
            StorageError: the certificate of the authority has expired.
        """
        names = [x509.UniformResourceIdentifier(f"{HOST_URI}{host_id}")]
        return self._issue(key.public_key, host_id, names, FOR_CLIENTS, HOST_LIFETIME)

    def issue_server(self, public_key: PublicKey, names: Sequence[str]) -> IssuedCertificate:
        """A certificate for the manager, valid only as a server with these addresses and DNS names,
        and with `server_name`, which agents verify.

        Raises:
            StorageError: the certificate of the authority has expired.
        """
        distinct = dict.fromkeys((self.server_name, *names))
        return self._issue(
            public_key,
            self.server_name,
            [general_name(name) for name in distinct],
            FOR_SERVERS,
            SERVER_LIFETIME,
        )

    def renew_if_due(self) -> bool:
        """Renews the certificate with the same key if it is due, or reads the operator's files if
        they have changed. Returns whether the certificate is another one now. Files that cannot be
        used are logged and named in `problem`; the last good certificate stays in use.
        """
        before = self._certificate
        if self._own and self._own.renew_if_due():
            self._certificate = self._own.certificate
        if self._files and self._files.changed():
            self._error = ""
            try:
                supplied = self._files.read()
                if self._fixed and authority_fingerprint(supplied.own) != self.fingerprint:
                    raise self._files.refuse_change()
                self._key, self._certificate = supplied.key, supplied.own
            except InvalidInputError as error:
                self._error = str(error)
                log.error("the authority's files cannot be used", extra={"why": error})
        return before != self._certificate

    def _issue(
        self,
        public_key: PublicKey,
        subject: str,
        names: Sequence[x509.GeneralName],
        purpose: x509.ObjectIdentifier,
        lifetime: timedelta,
    ) -> IssuedCertificate:
        now, last = self._now(), self._certificate.not_valid_after_utc
        if now >= last:
            raise StorageError(
                f"The authority's certificate expired on {last:%Y-%m-%d %H:%M} UTC; nothing can be "
                "issued until there is a new one in the file of authority_certificate."
            )
        made = leaf_certificate(
            Issuer(self._certificate.subject, self._key, self._key_id()),
            common_name(subject),
            public_key,
            names,
            purpose,
            now,
            min(now + lifetime, last),
        )
        begins, ends = made.not_valid_before_utc, made.not_valid_after_utc
        return IssuedCertificate((to_der(made),), begins, ends)

    def _key_id(self) -> x509.AuthorityKeyIdentifier:
        try:
            found = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            known = found.value
        except x509.ExtensionNotFound:
            known = key_id(self._key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _own_authority(
    keys: KeyStore, manager_id: str, now: Callable[[], datetime]
) -> tuple[PrivateKey, OwnCertificate]:
    key = keys.authority_key()
    subject = common_name(f"tui-manager {manager_id}")
    return key, OwnCertificate(
        keys.folder / AUTHORITY_CERTIFICATE,
        now,
        lambda: authority_certificate(subject, key, now(), AUTHORITY_LIFETIME),
        lambda found: is_of_key(found, key) and found.subject == subject,
    )


def general_name(name: str) -> x509.GeneralName:
    """An address or a DNS name in the form of certificates."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _check(files: SuppliedFiles, supplied: SuppliedCertificate) -> None:
    """Raises InvalidInputError unless gRPC will accept what the key of the certificate signs."""
    extensions = supplied.own.extensions
    try:
        is_authority = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    try:
        signs = extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        signs = True
    if not (is_authority and signs):
        raise files.refuse("is not the certificate of an authority: it may not sign others")
    for purpose, whom in ((FOR_CLIENTS, "clients"), (FOR_SERVERS, "servers")):
        if not allows_purpose(supplied.own, purpose):
            raise files.refuse(f"may not sign certificates for {whom}")
