"""The manager's certificate authority: it vouches for hosts to the manager, and for the manager to
hosts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.certificates import (
    FOR_CLIENTS,
    FOR_SERVERS,
    Issuer,
    PublicKey,
    SigningKey,
    authority_certificate,
    common_name,
    is_of_key,
    key_id,
    leaf_certificate,
    to_der,
    to_pem,
)
from tui_manager.security.keys import PrivateKey, load_or_make_key
from tui_manager.security.lifetimes import AUTHORITY_LIFETIME, HOST_LIFETIME, SERVER_LIFETIME
from tui_manager.security.own_certificate import OwnCertificate
from tui_manager.security.peer import HOST_URI
from tui_manager.security.requests import HostKey
from tui_manager.security.supplied_certificate import Brought, BroughtFiles, may_serve

log = logging.getLogger(__name__)
_KEY, _CERTIFICATE = "authority.key", "authority.pem"


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate as it goes out.

    Attributes:
        chain_der: the certificate first, then whatever leads to the authority.
    """

    chain_der: tuple[bytes, ...]
    begins: datetime
    ends: datetime


class Authority:
    """An authority made in `folder`, or the one that the operator brings.

    Args:
        manager_id: whose it is; a server's certificate carries it as a name.
        certificate, key: of the one that is brought; both or none.

    Raises:
        StorageError: the files in the folder cannot be read or written, or the key is gone.
        InvalidInputError: what was brought cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        manager_id: str,
        now: Callable[[], datetime],
        *,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._now = now
        self.server_name = f"{manager_id}.tui-manager.internal"
        self._refusal = ""
        self._own: OwnCertificate | None = None
        self._files: BroughtFiles | None = None
        self._key: SigningKey
        if certificate and key:
            self._files = BroughtFiles("authority", certificate, key, now, _check)
            brought = self._files.read()
            self._key, self._certificate = brought.key, brought.own
        else:
            self._key, self._own = _own_authority(folder, manager_id, now)
            self._certificate = self._own.certificate

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's own."""
        return self._certificate

    @property
    def problem(self) -> str:
        """What is wrong with the files that were brought, a sentence for the operator; empty:
        nothing."""
        return self._refusal or (self._files.ending(self._certificate) if self._files else "")

    @property
    def roots_pem(self) -> bytes:
        """What client certificates are checked against. Of an authority that is brought that is the
        one that signs for us, never who stands above it and signs for others too."""
        return to_pem(self._certificate)

    def issue_host(self, key: HostKey, host_id: str) -> IssuedCertificate:
        """A certificate for a host, good for nothing but to be the client `host_id`.

        Raises:
            StorageError: the authority's own certificate has ended.
        """
        names = [x509.UniformResourceIdentifier(f"{HOST_URI}{host_id}")]
        return self._issue(key.public_key, host_id, names, FOR_CLIENTS, HOST_LIFETIME)

    def issue_server(self, public_key: PublicKey, names: Sequence[str]) -> IssuedCertificate:
        """A certificate for the manager, good for nothing but to be the server of these addresses
        and DNS names, and of `server_name`, which is the one that agents look at.

        Raises:
            StorageError: the authority's own certificate has ended.
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
        """Renews the certificate with the same key at two thirds of its time, or takes up files
        that were changed; True when there is another certificate now. Files that cannot be used are
        logged and stand in `problem`, and what was known before stays in use.
        """
        before = self._certificate
        if self._own and self._own.renew_if_due():
            self._certificate = self._own.certificate
        if self._files and self._files.changed():
            self._refusal = ""
            try:
                brought = self._files.read()
                self._key, self._certificate = brought.key, brought.own
            except InvalidInputError as error:
                self._refusal = str(error)
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
                f"The authority's certificate has ended, on {last:%Y-%m-%d %H:%M} UTC; nothing can "
                "be issued until there is a new one in the file of authority_certificate."
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
    folder: Path, manager_id: str, now: Callable[[], datetime]
) -> tuple[PrivateKey, OwnCertificate]:
    if (folder / _CERTIFICATE).exists() and not (folder / _KEY).exists():
        raise StorageError(
            f"The key of the authority, {folder / _KEY}, is gone, and every host trusts it. Put it "
            f"back from a backup; or delete {folder / _CERTIFICATE} too, and enrol every host "
            "again."
        )
    key = load_or_make_key(folder / _KEY)
    subject = common_name(f"tui-manager {manager_id}")
    return key, OwnCertificate(
        folder / _CERTIFICATE,
        now,
        lambda: authority_certificate(subject, key, now(), AUTHORITY_LIFETIME),
        lambda found: is_of_key(found, key) and found.subject == subject,
    )


def general_name(name: str) -> x509.GeneralName:
    """An address or a DNS name as certificates hold it."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _check(files: BroughtFiles, brought: Brought) -> None:
    """Raises InvalidInputError unless gRPC will believe what the certificate's key signs."""
    extensions = brought.own.extensions
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
        if not may_serve(brought.own, purpose):
            raise files.refuse(f"may not sign certificates for {whom}")
