"""Certificates and keys that the operator brings and renews with tools of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ObjectIdentifier

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.certificates import UNREADABLE, SigningKey, is_of_key
from tui_manager.security.private_files import read_file

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_RSA_BITS = 2048
_ENDS_SOON = timedelta(days=14)
# A group may read a key that is brought (Debian's ssl-cert); nobody else, and nobody may change it.
_TOO_OPEN = 0o037


@dataclass(frozen=True, slots=True)
class Brought:
    """A key and its certificates, the key's own first."""

    key: SigningKey
    certificates: Sequence[x509.Certificate]

    @property
    def own(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.certificates[0]


class BroughtFiles:
    """The files that two settings name.

    Args:
        what: "authority" or "server", as the settings begin.
        check: what else must be true; raises what `refuse` makes.
    """

    def __init__(
        self,
        what: str,
        certificate: Path,
        key: Path,
        now: Callable[[], datetime],
        check: Callable[["BroughtFiles", Brought], None],
    ) -> None:
        self._what, self._certificate, self._key = what, certificate, key
        self._now, self._check = now, check
        self._seen: object = None

    def read(self) -> Brought:
        """What is in the files now.

        Raises:
            InvalidInputError: naming the setting, the file, and what is wrong with it.
        """
        self._seen = self._state()
        brought = Brought(self._read_key(), self._read_certificates())
        try:
            if not is_of_key(brought.own, brought.key):
                raise self.refuse(f"is not made out for the key in {self._key}")
            self._check_dates(brought.own)
            self._check(self, brought)
        except UNREADABLE as error:
            raise self.refuse("holds a certificate that cannot be understood") from error
        return brought

    def changed(self) -> bool:
        """Whether the files are others than at the last `read`."""
        return self._state() != self._seen

    def ending(self, certificate: x509.Certificate) -> str:
        """A sentence for the operator when the certificate in use ends soon, or has ended."""
        ends = certificate.not_valid_after_utc
        if ends - self._now() > _ENDS_SOON:
            return ""
        verb = "has ended" if self._now() >= ends else "ends"
        why = f"{verb} on {ends:%Y-%m-%d %H:%M} UTC; put a renewed one in its place"
        return str(self.refuse(why))

    def refuse(self, why: str) -> InvalidInputError:
        """The error of a certificate that cannot be used."""
        setting = f"{self._what}_certificate"
        return InvalidInputError(setting, f"{setting}: {self._certificate} {why}.")

    def _refuse_key(self, why: str) -> InvalidInputError:
        setting = f"{self._what}_key"
        return InvalidInputError(setting, f"{setting}: {self._key} {why}.")

    def _state(self) -> object:
        def state(path: Path) -> tuple[int, ...]:
            try:
                found = path.stat()
            except OSError:
                return ()
            return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode

        return state(self._certificate), state(self._key)

    def _read_key(self) -> SigningKey:
        data, mode = _content(self._key, self._refuse_key)
        if mode & _TOO_OPEN:
            raise self._refuse_key(
                f"is open to other users (mode {mode:04o}); its owner and a group may read it, "
                "nobody else: chmod 640, or 600"
            )
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except TypeError as error:
            raise self._refuse_key("is locked with a passphrase; the manager needs it open") from (
                error
            )
        except (ValueError, UnsupportedAlgorithm) as error:
            raise self._refuse_key("holds no PEM private key that can be read") from error
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_BITS:
            return key
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, _CURVES):
            return key
        raise self._refuse_key(
            f"holds a key that TLS cannot use here; ECDSA P-256, P-384, P-521 and RSA from "
            f"{_RSA_BITS} bits can be used"
        )

    def _read_certificates(self) -> Sequence[x509.Certificate]:
        data, _ = _content(self._certificate, self.refuse)
        try:
            return x509.load_pem_x509_certificates(data)
        except UNREADABLE as error:
            raise self.refuse("holds no PEM certificate that can be read") from error

    def _check_dates(self, certificate: x509.Certificate) -> None:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if self._now() >= ends:
            raise self.refuse(f"has ended, on {ends:%Y-%m-%d %H:%M} UTC")
        if self._now() < begins:
            raise self.refuse(f"does not begin before {begins:%Y-%m-%d %H:%M} UTC")


def may_serve(certificate: x509.Certificate, purpose: ObjectIdentifier) -> bool:
    """Whether a certificate, or what it signs, may be used for this; those that do not say, may."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return purpose in usage


def _content(path: Path, refuse: Callable[[str], InvalidInputError]) -> tuple[bytes, int]:
    try:
        found = read_file(path)
    except StorageError as error:
        cause = error.__cause__
        why = cause.strerror if isinstance(cause, OSError) else "it is too large"
        raise refuse(f"cannot be read: {why}") from error
    if found is None:
        raise refuse("is not there")
    return found
