"""Decides when an agent is asked to renew its certificate, by the manager's clock only. How the
agent renews it is in its `identity/certificate_renewal.py`."""

from datetime import datetime

from tui_manager.security.certificates.authority import IssuedCertificate
from tui_manager.security.certificates.certificate_lifetimes import renewal_time
from tui_manager.security.certificates.client_certificate import PeerCertificate
from tui_manager.transport.messages.message_guard import MessageGuard

ASK_AGAIN = 3600.0  # seconds until an agent is asked again
_JUMP = 60.0  # seconds; a clock that was set by more makes the manager ask again


class CertificateRenewal:
    """The newest certificate of a session's host: the one of the TLS handshake, or one that was
    issued in the session. If the clock was wrong at that time and was then corrected, the newest
    certificate may be not yet valid or due, and the agent is asked again.

    Attributes:
        certificate: of the TLS handshake; the session ends when it expires.
        wanted: the agent was asked and has not answered; its Settings say so.
    """

    def __init__(self, certificate: PeerCertificate, guard: MessageGuard) -> None:
        self.certificate = certificate
        self.wanted = False
        self._guard = guard
        self._begins = certificate.begins
        self._due_at = renewal_time(certificate.begins, certificate.ends)
        self._asked: tuple[datetime, float] | None = None

    def nothing_to_do(self, now: datetime) -> bool:
        """Whether the certificate is valid and not due."""
        return self._begins <= now < self._due_at and now < self.certificate.ends

    def ended(self, now: datetime) -> bool:
        """Whether the certificate of the session has expired."""
        return now >= self.certificate.ends

    def ask_if_due(self, now: datetime, monotonic: float) -> bool:
        """Allows a certificate request if it is time. Returns whether Settings must be sent."""
        if self.nothing_to_do(now) or not self._may_ask(now, monotonic):
            return False
        self._asked = (now, monotonic)
        self.wanted = True
        self._guard.expect_certificate_request()
        return True

    def _may_ask(self, now: datetime, monotonic: float) -> bool:
        """Whether the last request is long ago. After a change of the clock the agent may be asked
        again sooner, but not before it has answered."""
        if self._asked is None:
            return True
        asked_at, asked_at_monotonic = self._asked
        passed = monotonic - asked_at_monotonic
        moved = abs((now - asked_at).total_seconds() - passed) > _JUMP
        return passed >= ASK_AGAIN or (moved and not self.wanted)

    def request_received(self) -> None:
        """The agent has sent a request. `certificate_issued` follows if it succeeds."""
        self.wanted = False

    def certificate_issued(self, issued: IssuedCertificate) -> None:
        """A newer certificate was sent to the agent, which uses it for its next connection."""
        self._begins = issued.begins
        self._due_at = renewal_time(issued.begins, issued.ends)
