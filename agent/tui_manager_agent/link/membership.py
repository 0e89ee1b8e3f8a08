"""How this host stands with its manager: known by which words, admitted or waiting."""

import logging

from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.identity.renewal import Renewal
from tui_manager_agent.link.link import Ears, Link, WrongManagerError

_MEANING = {
    wire.ADMISSION_PENDING: "this host waits for an operator's approval",
    wire.ADMISSION_ADMITTED: "an operator has approved this host",
    wire.ADMISSION_REVOKED: "an operator has revoked this host",
    wire.ADMISSION_REJECTED: "an operator has rejected this host",
}
_LOG = logging.getLogger(__name__)


class Membership:
    """What the manager says of this host, told to its owner; and the renewal of the certificate.

    Args:
        renewal: None where there is no TLS, and so no certificate.
    """

    def __init__(self, renewal: Renewal | None) -> None:
        self._renewal = renewal
        self._words = fingerprint(renewal.credentials.key_hash) if renewal else ""
        self._admission: wire.Admission.ValueType = wire.ADMISSION_ADMITTED

    def introduce(self) -> None:
        """Says by which words people know this host."""
        if self._renewal is not None:
            end = self._renewal.credentials.end
            _LOG.info("this host is known by %s: certificate_ends=%r", self._words, end)

    def check(self, welcome: wire.Welcome) -> None:
        """Notes that the manager has accepted this host's certificate. Raises WrongManagerError
        unless the welcome is meant for this host."""
        held = self._renewal.credentials if self._renewal else None
        if held is not None and welcome.host_id != held.host_id:
            raise WrongManagerError(
                f"it calls this host {welcome.host_id}, whose certificate says {held.host_id}"
            )

        if self._renewal is not None:
            self._renewal.accepted()

    def begin_session(self, link: Link) -> None:
        """From now on the manager is talked to there."""
        if self._renewal is not None:
            self._renewal.begin_session(link.request_certificate)

    def ears(self) -> Ears:
        """Who listens to what concerns the membership."""
        if self._renewal is None:
            return {"settings": self._heed}
        return {"settings": self._heed, "certificate_issued": self._renewal.issued}

    async def _heed(self, settings: wire.Settings) -> None:
        self._tell(settings.admission)
        if self._renewal is not None:
            await self._renewal.heed(wanted=settings.renew_certificate)

    def _tell(self, admission: wire.Admission.ValueType) -> None:
        if admission == self._admission or admission not in _MEANING:
            return
        self._admission = admission
        compare = f": compare the words {self._words}" if self._words else ""
        pending = admission == wire.ADMISSION_PENDING
        _LOG.warning("%s%s", _MEANING[admission], compare if pending else "")
