"""Logs for the owner whether this host is admitted at its manager, and under which fingerprint."""

import logging

from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.identity.certificate_renewal import CertificateRenewal
from tui_manager_agent.link.link import Link, MessageHandlers, WrongManagerError

_MEANING = {
    wire.ADMISSION_PENDING: "this host waits for an operator's approval",
    wire.ADMISSION_ADMITTED: "an operator has approved this host",
    wire.ADMISSION_REVOKED: "an operator has revoked this host",
    wire.ADMISSION_REJECTED: "an operator has rejected this host",
}
_LOG = logging.getLogger(__name__)


class HostAdmission:
    """Logs for the owner what the manager decides on this host. Renews the certificate.

    Args:
        renewal: None if there is no TLS, and so no certificate.
    """

    def __init__(self, renewal: CertificateRenewal | None) -> None:
        self._renewal = renewal
        self._words = fingerprint(renewal.credentials.key_hash) if renewal else ""
        self._admission: wire.Admission.ValueType = wire.ADMISSION_ADMITTED

    def log_fingerprint(self) -> None:
        """Logs the words by which people know this host."""
        if self._renewal is not None:
            end = self._renewal.credentials.end
            _LOG.info("this host is known by %s: certificate_ends=%r", self._words, end)

    def check(self, welcome: wire.Welcome) -> None:
        """Raises WrongManagerError unless the welcome is meant for this host. Then the manager has
        accepted this host's certificate."""
        held = self._renewal.credentials if self._renewal else None
        if held is not None and welcome.host_id != held.host_id:
            raise WrongManagerError(
                f"it calls this host {welcome.host_id}, whose certificate says {held.host_id}"
            )
        if self._renewal is not None:
            self._renewal.welcomed()

    def begin_session(self, link: Link) -> None:
        """Sends what concerns the admission and the certificate over this stream from now on."""
        if self._renewal is not None:
            self._renewal.begin_session(link.request_certificate)

    def handlers(self) -> MessageHandlers:
        """What handles the messages that concern the certificate alone."""
        return {"certificate_issued": self._renewal.on_certificate} if self._renewal else {}

    async def on_settings(self, settings: wire.Settings) -> None:
        """Does what new settings mean for the admission and the certificate."""
        self._log_admission(settings.admission)
        if self._renewal is not None:
            await self._renewal.on_settings(wanted=settings.renew_certificate)

    def _log_admission(self, admission: wire.Admission.ValueType) -> None:
        if admission == self._admission or admission not in _MEANING:
            return
        self._admission = admission
        compare = f": compare the words {self._words}" if self._words else ""
        pending = admission == wire.ADMISSION_PENDING
        _LOG.warning("%s%s", _MEANING[admission], compare if pending else "")
