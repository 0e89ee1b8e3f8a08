"""When the agent of a session is asked for a certificate request, by the manager's clock alone."""

from datetime import datetime

from tui_manager.security.authority import IssuedCertificate
from tui_manager.security.lifetimes import due_at
from tui_manager.security.peer import PeerCertificate
from tui_manager.transport.messages.guard import Guard

ASK_AGAIN = 3600.0  # seconds until an agent is asked once more
_JUMP = 60.0  # seconds by which the clock has moved by itself, after which agents are asked anew


class Renewal:
    """The newest certificate of a session's host: the one with which it came, or one that was
    issued in the session. If the clock was wrong then and has been put right, the newest one is out
    of date at once, and the agent is asked again.

    Attributes:
        certificate: the one with which the session came, and with which it ends.
        wanted: an agent has been asked and not answered yet; what its Settings say.
    """

    def __init__(self, certificate: PeerCertificate, guard: Guard) -> None:
        self.certificate = certificate
        self.wanted = False
        self._guard = guard
        self._begins = certificate.begins
        self._due_at = due_at(certificate.begins, certificate.ends)
        self._asked: tuple[datetime, float] | None = None

    def rests(self, now: datetime) -> bool:
        """Whether there is nothing to do about the certificate."""
        return self._begins <= now < self._due_at and now < self.certificate.ends

    def ended(self, now: datetime) -> bool:
        """Whether the certificate is over, and the session with it."""
        return now >= self.certificate.ends

    def ask_if_due(self, now: datetime, monotonic: float) -> bool:
        """Lets the agent send a request if it is time; True if so, and it has to be told."""
        if self.rests(now) or not self._may_ask(now, monotonic):
            return False
        self._asked = (now, monotonic)
        self.wanted = True
        self._guard.expect_certificate_request()
        return True

    def _may_ask(self, now: datetime, monotonic: float) -> bool:
        """Not too often. An agent that was asked before the clock has moved may be asked anew, but
        not while its answer is under way."""
        if self._asked is None:
            return True
        asked_at, asked_at_monotonic = self._asked
        passed = monotonic - asked_at_monotonic
        moved = abs((now - asked_at).total_seconds() - passed) > _JUMP
        return passed >= ASK_AGAIN or (moved and not self.wanted)

    def answered(self) -> None:
        """A request has come; what becomes of it is told by `served`, or it came to nothing."""
        self.wanted = False

    def served(self, issued: IssuedCertificate) -> None:
        """A newer certificate is on its way to the agent, which shows it when it dials next."""
        self._begins = issued.begins
        self._due_at = due_at(issued.begins, issued.ends)
