"""A certificate that the manager makes for itself and keeps in a file. Only the key must be kept:
the certificate is made again when it is due, missing, damaged, or no longer matches."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509

from tui_manager.domain.errors import StorageError
from tui_manager.security.certificates.certificate_lifetimes import is_due
from tui_manager.security.certificates.certificates import UNREADABLE, to_pem
from tui_manager.security.private_files import read_file, write_private

log = logging.getLogger(__name__)


class OwnCertificate:
    """The certificate in `path`.

    Args:
        make: makes a new certificate that begins now.
        matches: whether a certificate has the content that a new one would have.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], datetime],
        make: Callable[[], x509.Certificate],
        matches: Callable[[x509.Certificate], bool],
    ) -> None:
        self._path, self._now, self._make, self._matches = path, now, make, matches
        found = self._read()
        self.certificate = found or make()
        if found is None:
            write_private(path, to_pem(self.certificate))
        self.renew_if_due()

    def renew_if_due(self) -> bool:
        """Makes a new certificate if it is time; True if so. If it cannot be written it is used
        nevertheless until the program ends, so that hosts can connect while the disk is full."""
        old, now = self.certificate, self._now()
        matches, begun = self._matches(old), now >= old.not_valid_before_utc
        if matches and not is_due(old.not_valid_before_utc, old.not_valid_after_utc, now):
            return False
        made = self._make()
        if matches and begun and made.not_valid_after_utc <= old.not_valid_after_utc:
            return False  # the authority expires too: a new one would not last longer
        self.certificate = made
        log.info(
            "certificate renewed",
            extra={"file": self._path, "ends": self.certificate.not_valid_after_utc.isoformat()},
        )
        try:
            write_private(self._path, to_pem(self.certificate))
        except StorageError as error:
            log.warning("a renewed certificate could not be written", extra={"why": error})
        return True

    def _read(self) -> x509.Certificate | None:
        found = read_file(self._path)
        if found is None:
            return None
        try:
            certificate = x509.load_pem_x509_certificate(found[0])
            return certificate if self._matches(certificate) else None
        except UNREADABLE:
            log.warning("a damaged certificate is replaced", extra={"file": self._path})
            return None
