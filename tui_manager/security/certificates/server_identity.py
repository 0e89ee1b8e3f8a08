"""The key and the certificate of the command port, and what hosts need to verify it."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.authority import Authority, general_name
from tui_manager.security.certificates.certificates import (
    FOR_SERVERS,
    UNREADABLE,
    PublicKey,
    SigningKey,
    authority_fingerprint,
    is_of_key,
    to_der,
    to_pem,
)
from tui_manager.security.certificates.own_certificate import OwnCertificate
from tui_manager.security.certificates.supplied_certificate import (
    SuppliedCertificate,
    SuppliedFiles,
    allows_purpose,
)
from tui_manager.security.keys import load_or_make_key

log = logging.getLogger(__name__)
_KEY, _CERTIFICATE = "server.key", "server.pem"


@dataclass(frozen=True, slots=True)
class _Credentials:
    """A key, its certificates and its roots; always replaced together.

    Attributes:
        chain: the server's certificate first.
        authorities: one of them has signed the certificate.
        client_roots: by which client certificates are verified.
    """

    key: SigningKey
    chain: Sequence[x509.Certificate]
    authorities: Sequence[x509.Certificate]
    client_roots: bytes


class ServerIdentity:
    """A certificate of `authority`, kept in `folder`, or the operator's own.

    Use it only in the thread that calls `renew_if_due`.

    Args:
        names: addresses and DNS names for a certificate of the authority.
        certificate, key: the operator's own; both or none. The file of the certificate contains
            the certificates of its authorities too, in order.
        fixed: the operator's files may be renewed, but not by those of another authority.

    Raises:
        StorageError: the files in the folder cannot be read or written.
        InvalidInputError: the operator's files cannot be used.
    """

    def __init__(
        self,
        authority: Authority,
        folder: Path,
        names: Sequence[str],
        now: Callable[[], datetime],
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        fixed: bool = False,
    ) -> None:
        self._authority, self._fixed = authority, fixed
        self._error = ""
        self._files: SuppliedFiles | None = None
        self._own: OwnCertificate | None = None
        if certificate and key:
            self._files = SuppliedFiles("server", certificate, key, now, _check)
            self._credentials = self._from_supplied(self._files.read())
        else:
            own_key = load_or_make_key(folder / _KEY)
            self._own = OwnCertificate(
                folder / _CERTIFICATE,
                now,
                lambda: _issue(authority, own_key.public_key(), names),
                lambda found: is_of_key(found, own_key) and _is_for(found, authority, names),
            )
            self._credentials = self._from_own(own_key, self._own)

    @property
    def key_pem(self) -> bytes:
        """The private key, PEM."""
        return self._credentials.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def chain_pem(self) -> bytes:
        """The certificate, and the certificates up to the authority."""
        return to_pem(*self._credentials.chain)

    @property
    def roots_pem(self) -> bytes:
        """The certificates by which client certificates are verified."""
        return self._credentials.client_roots

    @property
    def problem(self) -> str:
        """What is wrong with the operator's files, also the authority's, as a sentence; empty:
        nothing."""
        if self._error or not self._files:
            return self._error or self._authority.problem
        warning = self._files.expiry_warning(self._credentials.chain[0])
        return warning or self._authority.problem

    @property
    def ends(self) -> datetime:
        """When the certificate expires."""
        return self._credentials.chain[0].not_valid_after_utc

    @property
    def authority_fingerprint(self) -> str:
        """Of the authority above the certificate, the last one in the operator's file."""
        return authority_fingerprint(self._credentials.authorities[-1])

    @property
    def server_name(self) -> str:
        """The name that agents verify in the certificate; empty: the host to which they connect."""
        return "" if self._files else self._authority.server_name

    @property
    def authorities_der(self) -> tuple[bytes, ...]:
        """The certificates by which agents verify the certificate."""
        return tuple(to_der(each) for each in self._credentials.authorities)

    def renew_if_due(self) -> bool:
        """Renews the certificates that are due, also the authority's, and reads the operator's
        files if they have changed. Returns whether the credentials of the port have changed. Files
        that cannot be used are logged and named in `problem`; the last good ones stay in use.

        Raises:
            StorageError: nothing can be issued, because the authority's certificate has expired.
        """
        before = self._credentials
        self._authority.renew_if_due()
        if self._own:
            self._own.renew_if_due()
            self._credentials = self._from_own(before.key, self._own)
        elif self._files:
            self._credentials = self._from_supplied(self._read_again(self._files, before))
        return self._credentials != before

    def _from_own(self, key: SigningKey, own: OwnCertificate) -> _Credentials:
        authorities = (self._authority.certificate,)
        return _Credentials(key, (own.certificate,), authorities, self._authority.roots_pem)

    def _from_supplied(self, supplied: SuppliedCertificate) -> _Credentials:
        chain = tuple(supplied.certificates)
        return _Credentials(supplied.key, chain, chain[1:], self._authority.roots_pem)

    def _read_again(self, files: SuppliedFiles, before: _Credentials) -> SuppliedCertificate:
        if files.changed():
            self._error = ""
            try:
                supplied = files.read()
                if self._fixed and _root(supplied) != self.authority_fingerprint:
                    raise files.refuse_change()
                return supplied
            except InvalidInputError as error:
                self._error = str(error)
                log.error("the server's files cannot be used", extra={"why": error})
        return SuppliedCertificate(before.key, before.chain)


def _root(supplied: SuppliedCertificate) -> str:
    return authority_fingerprint(supplied.certificates[-1])


def _issue(authority: Authority, public_key: PublicKey, names: Sequence[str]) -> x509.Certificate:
    issued = authority.issue_server(public_key, names)
    return x509.load_der_x509_certificate(issued.chain_der[0])


def _is_for(found: x509.Certificate, authority: Authority, names: Sequence[str]) -> bool:
    """Whether the current authority has signed a certificate, for these names."""
    try:
        found.verify_directly_issued_by(authority.certificate)
        has = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*UNREADABLE, InvalidSignature):
        return False
    return set(has) == {general_name(name) for name in (authority.server_name, *names)}


def _check(files: SuppliedFiles, supplied: SuppliedCertificate) -> None:
    """Raises InvalidInputError unless agents can verify the server by the certificate."""
    if not allows_purpose(supplied.own, FOR_SERVERS):
        raise files.refuse("is not a certificate for servers")
    try:
        supplied.own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise files.refuse("has no subject alternative name") from None
    if len(supplied.certificates) < 2:
        raise files.refuse(
            "contains only the server's certificate; add those of its authorities, by which the "
            "hosts verify it"
        )
    for signed, signer in pairwise(supplied.certificates):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature):
            raise files.refuse(
                "is out of order: each certificate must be signed by the next, "
                f"but {_subject(signed)} is not signed by {_subject(signer)}"
            ) from None


def _subject(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string())
