"""When the agent of a session is asked for a certificate request, by the manager's clock alone."""

from datetime import datetime

from tui_manager.security.lifetimes import due_at
from tui_manager.security.peer import PeerCertificate
from tui_manager.transport.guard import Guard

ASK_AGAIN = 3600.0  # seconds after which an agent that has not been served is asked once more


class Renewal:
    """The certificate with which a session came, until a newer one has been issued in it.

    Attributes:
        wanted: an agent has been asked and not answered yet; what its Settings say.
    """

    def __init__(self, certificate: PeerCertificate, guard: Guard) -> None:
        self.certificate = certificate
        self.wanted = False
        self._guard = guard
        self._due_at = due_at(certificate.begins, certificate.ends)
        self._ask_at = float("-inf")

    def rests(self, now: datetime) -> bool:
        """Whether there is nothing to do about the certificate."""
        return self.certificate.begins <= now < self._due_at

    def ended(self, now: datetime) -> bool:
        """Whether the certificate is over, and the session with it."""
        return now >= self.certificate.ends

    def ask_if_due(self, now: datetime, monotonic: float) -> bool:
        """Lets the agent send a request if it is time; True if so, and it has to be told."""
        if monotonic < self._ask_at or self.rests(now):
            return False
        self._ask_at = monotonic + ASK_AGAIN
        self.wanted = True
        self._guard.expect_certificate_request()
        return True

    def served(self) -> None:
        """A newer certificate is on its way to the agent, which shows it when it dials next."""
        self.wanted = False
        self._ask_at = float("inf")
