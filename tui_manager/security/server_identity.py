"""What the command port shows of itself, and what it sends hosts so that they know it again."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.authority import Authority, general_name
from tui_manager.security.certificates import (
    FOR_SERVERS,
    UNREADABLE,
    PublicKey,
    SigningKey,
    is_of_key,
    to_der,
    to_pem,
)
from tui_manager.security.keys import load_or_make_key
from tui_manager.security.own_certificate import OwnCertificate
from tui_manager.security.supplied_certificate import Brought, BroughtFiles, may_serve

log = logging.getLogger(__name__)
_KEY, _CERTIFICATE = "server.key", "server.pem"


@dataclass(frozen=True, slots=True)
class _Shown:
    """All that belongs together, replaced as one.

    Attributes:
        chain: the server's certificate first.
        authorities: one of them has signed it.
    """

    key: SigningKey
    chain: Sequence[x509.Certificate]
    authorities: Sequence[x509.Certificate]
    clients: bytes


class ServerIdentity:
    """A certificate of `authority`, kept in `folder`, or the one that the operator brings.

    Everything is to be read on the thread that calls `renew_if_due`.

    Args:
        names: addresses and DNS names for a certificate of the authority.
        certificate, key: of the one that is brought; both or none. The file of the certificate
            holds those of its authorities too, in order.

    Raises:
        StorageError: the files in the folder cannot be read or written.
        InvalidInputError: what was brought cannot be used.
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
    ) -> None:
        self._authority = authority
        self._refusal = ""
        self._files: BroughtFiles | None = None
        self._own: OwnCertificate | None = None
        if certificate and key:
            self._files = BroughtFiles("server", certificate, key, now, _check)
            self._shown = self._of_brought(self._files.read())
        else:
            own_key = load_or_make_key(folder / _KEY)
            self._own = OwnCertificate(
                folder / _CERTIFICATE,
                now,
                lambda: _issue(authority, own_key.public_key(), names),
                lambda found: is_of_key(found, own_key) and _is_for(found, authority, names),
            )
            self._shown = self._of_own(own_key, self._own)

    @property
    def key_pem(self) -> bytes:
        """The private key, PEM."""
        return self._shown.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def chain_pem(self) -> bytes:
        """The certificate, and what leads to the authority."""
        return to_pem(*self._shown.chain)

    @property
    def roots_pem(self) -> bytes:
        """What client certificates are checked against."""
        return self._shown.clients

    @property
    def problem(self) -> str:
        """What is wrong with files that were brought, the authority's too, a sentence for the
        operator; empty: nothing."""
        own = self._refusal or (self._files.ending(self._shown.chain[0]) if self._files else "")
        return own or self._authority.problem

    @property
    def server_name(self) -> str:
        """The name that agents look for in the certificate; empty: the host that they dial."""
        return "" if self._files else self._authority.server_name

    @property
    def authorities_der(self) -> tuple[bytes, ...]:
        """What agents check the certificate against."""
        return tuple(to_der(each) for each in self._shown.authorities)

    def renew_if_due(self) -> bool:
        """Renews what is due, the authority's certificate too, and takes up files that were
        changed; True when the port has something else to show, or to check clients against. Files
        that cannot be used are logged and stand in `problem`, and what was known before stays in
        use.

        Raises:
            StorageError: nothing can be issued, because the authority's certificate has ended.
        """
        before = self._shown
        self._authority.renew_if_due()
        if self._own:
            self._own.renew_if_due()
            self._shown = self._of_own(before.key, self._own)
        elif self._files:
            self._shown = self._of_brought(self._read_again(self._files, before))
        return self._shown != before

    def _of_own(self, key: SigningKey, own: OwnCertificate) -> _Shown:
        authorities = (self._authority.certificate,)
        return _Shown(key, (own.certificate,), authorities, self._authority.roots_pem)

    def _of_brought(self, brought: Brought) -> _Shown:
        chain = tuple(brought.certificates)
        return _Shown(brought.key, chain, chain[1:], self._authority.roots_pem)

    def _read_again(self, files: BroughtFiles, before: _Shown) -> Brought:
        if files.changed():
            self._refusal = ""
            try:
                return files.read()
            except InvalidInputError as error:
                self._refusal = str(error)
                log.error("the server's files cannot be used", extra={"why": error})
        return Brought(before.key, before.chain)


def _issue(authority: Authority, public_key: PublicKey, names: Sequence[str]) -> x509.Certificate:
    issued = authority.issue_server(public_key, names)
    return x509.load_der_x509_certificate(issued.chain_der[0])


def _is_for(found: x509.Certificate, authority: Authority, names: Sequence[str]) -> bool:
    """Whether a certificate is of this authority, as it is now, and for these names."""
    try:
        found.verify_directly_issued_by(authority.certificate)
        has = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*UNREADABLE, InvalidSignature):
        return False
    return set(has) == {general_name(name) for name in (authority.server_name, *names)}


def _check(files: BroughtFiles, brought: Brought) -> None:
    """Raises InvalidInputError unless agents can know the server by the certificate."""
    if not may_serve(brought.own, FOR_SERVERS):
        raise files.refuse("is not made out for a server")
    try:
        brought.own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise files.refuse("names no server: it has no subject alternative name") from None
    if len(brought.certificates) < 2:
        raise files.refuse(
            "holds no certificate but the server's; add those of its authorities behind it, because"
            " the hosts check it against them"
        )
    for signed, signer in pairwise(brought.certificates):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature):
            raise files.refuse(
                "is out of order: each certificate must be signed by the next, "
                f"but {_subject(signed)} is not signed by {_subject(signer)}"
            ) from None


def _subject(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string())
