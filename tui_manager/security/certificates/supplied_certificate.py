"""Certificates and keys that the operator supplies and renews with other tools."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ObjectIdentifier
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.certificates.certificates import UNREADABLE, SigningKey, is_of_key
from tui_manager.security.private_files import read_file

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_RSA_BITS = 2048
_WARN_BEFORE = timedelta(days=14)
# A group may read a supplied key (Debian's ssl-cert). Nobody else may read it, and nobody write it.
_FORBIDDEN_MODE = 0o037


@dataclass(frozen=True, slots=True)
class SuppliedCertificate:
    """A key and its certificates; the first is the certificate of the key."""

    key: SigningKey
    certificates: Sequence[x509.Certificate]

    @property
    def own(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.certificates[0]


class SuppliedFiles:
    """The files that two settings name.

    Args:
        what: "authority" or "server", as the settings begin.
        check: further checks; raises what `refuse` returns.
    """

    def __init__(
        self,
        what: str,
        certificate: Path,
        key: Path,
        now: Callable[[], datetime],
        check: Callable[["SuppliedFiles", SuppliedCertificate], None],
    ) -> None:
        self._what, self._certificate, self._key = what, certificate, key
        self._now, self._check = now, check
        self._seen: object = None

    def read(self) -> SuppliedCertificate:
        """Reads and checks the files.

        Raises:
            InvalidInputError: naming the setting, the file, and what is wrong with it.
        """
        self._seen = self._state()
        supplied = SuppliedCertificate(self._read_key(), self._read_certificates())
        try:
            if not is_of_key(supplied.own, supplied.key):
                raise self.refuse(f"does not belong to the key in {self._key}")
            self._check_dates(supplied.own)
            self._check(self, supplied)
        except UNREADABLE as error:
            raise self.refuse("holds a certificate that cannot be read") from error
        return supplied

    def changed(self) -> bool:
        """Whether the files have changed since the last `read`."""
        return self._state() != self._seen

    def expiry_warning(self, certificate: x509.Certificate) -> str:
        """A sentence for the operator if the certificate in use expires soon or has expired."""
        ends = certificate.not_valid_after_utc
        if ends - self._now() > _WARN_BEFORE:
            return ""
        verb = "expired" if self._now() >= ends else "expires"
        why = f"{verb} on {ends:%Y-%m-%d %H:%M} UTC; replace it with a renewed one"
        return str(self.refuse(why))

    def refuse(self, why: str) -> InvalidInputError:
        """The error of a certificate that cannot be used."""
        setting = f"{self._what}_certificate"
        return InvalidInputError(setting, f"{setting}: {self._certificate} {why}.")

    def refuse_change(self) -> InvalidInputError:
        """The error of a certificate of another authority, where that must stay the same."""
        return self.refuse(
            "is of another authority than before. All managers on the database must have the same "
            "one; SECURITY.md says how to change it"
        )

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
        if mode & _FORBIDDEN_MODE:
            raise self._refuse_key(
                f"can be used by other users (mode {mode:04o}); only its owner and a group may "
                "read it: chmod 640, or 600"
            )
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except TypeError as error:
            raise self._refuse_key("needs a passphrase; store it without one") from (error)
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
            raise self.refuse(f"expired on {ends:%Y-%m-%d %H:%M} UTC")
        if self._now() < begins:
            raise self.refuse(f"is not valid before {begins:%Y-%m-%d %H:%M} UTC")


def allows_purpose(certificate: x509.Certificate, purpose: ObjectIdentifier) -> bool:
    """Whether a certificate, or what it signs, may be used for this; True if it does not say."""
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
        raise refuse("does not exist")
    return found
