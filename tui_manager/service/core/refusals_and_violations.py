"""Logs refused agents, violations of the protocol, and wrong join tokens. Each is counted, shown to
operators for an hour, and written to the audit as often as `audit_and_log_limits.py` allows."""

import logging
from collections import deque

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.service.core.audit_and_log_limits import AuditEvent, LimitedAudit
from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.statistics import Statistics
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.metric_counters import Act

log = logging.getLogger(__name__)
_FOR_OPERATORS = (Refusal.DUPLICATE_IDENTITY, Refusal.NAME_TAKEN)  # an operator can correct these
_TEXT_MAX = 500  # characters kept of a sentence
_NAME_MAX = 64  # characters kept of a name
_HOUR = 3600.0  # seconds
BAD_TOKENS_MAX = 1000  # wrong join tokens whose time is remembered
RECENT_MAX = 20  # names that are remembered


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """The newest sentence of a name.

    Attributes:
        times: how often this has happened since the name was first remembered.
        at: of the newest; monotonic seconds.
    """

    name: str
    text: str
    times: int
    at: float


class RecentEvents:
    """The newest sentence of each name, in memory only. A name is forgotten an hour after its last
    sentence."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_name: dict[str, RecentEvent] = {}

    def add(self, name: str, text: str) -> None:
        """Replaces the sentence of a name."""
        before = self._by_name.pop(name, None)
        times = before.times + 1 if before else 1
        self._by_name[name] = RecentEvent(name, text, times, self._clock.monotonic())
        while len(self._by_name) > RECENT_MAX:
            del self._by_name[next(iter(self._by_name))]

    def forget(self, name: str) -> None:
        """It is no longer true."""
        self._by_name.pop(name, None)

    def newest_first(self) -> list[RecentEvent]:
        """The events of the last hour."""
        limit = self._clock.monotonic() - _HOUR
        for event in list(self._by_name.values()):
            if event.at <= limit:
                del self._by_name[event.name]
        return list(reversed(self._by_name.values()))


class RefusalsAndViolations:
    """Records refused agents and violations of the protocol. Used on the manager's loop; nothing
    here waits.

    Attributes:
        audit: writes the rows, when they are due.
        recent_refusals, recent_violations: by the name of the host.
    """

    def __init__(
        self, database: Database, feed: ChangeFeed, statistics: Statistics, clock: Clock
    ) -> None:
        self._feed = feed
        self._counters = statistics.counters
        self._statistics = statistics
        self._clock = clock
        self._bad_tokens: deque[float] = deque(maxlen=BAD_TOKENS_MAX)
        self.audit = LimitedAudit(database, clock)
        self.recent_refusals = RecentEvents(clock)
        self.recent_violations = RecentEvents(clock)

    def record_refusal(
        self, name: str, address: str, error: RefusedError, host_id: str = ""
    ) -> None:
        """An agent was refused.

        Args:
            name: what it calls itself.
            host_id: of the certificate that it has shown; empty: it has shown none.
        """
        name, text = _safe(name), _safe(str(error), _TEXT_MAX)
        self._counters.refusals += 1
        self._statistics.count(Act.AGENT_REFUSED, error.refusal)
        if error.refusal in _FOR_OPERATORS:
            self.recent_refusals.add(name, text)
        detail = {"reason": error.refusal, "address": address, "text": text}
        log.warning("agent refused", extra={"host": name, **detail})
        self._write("manager", "refuse_host", host_id, name, detail)
        self._feed.publish(Changes(manager=True))

    def record_violation(self, host_id: str, name: str, what: str) -> None:
        """A host broke the rules of the wire; `what` is a sentence."""
        name, what = _safe(name), _safe(what, _TEXT_MAX)
        self._counters.violations += 1
        self.recent_violations.add(name, what)
        log.warning("agent broke the rules", extra={"host": name, "text": what})
        self._write(f"host {name}", "violation", host_id, name, {"text": what})
        self._feed.publish(Changes(manager=True))

    def record_bad_token(self, address: str, error: RefusedError) -> None:
        """Somebody showed a join token that is unknown or not valid any more. Whoever guesses
        tokens may do so often and under any name: all of them share a row of the audit, and none
        has a line in the log."""
        self._counters.bad_tokens += 1
        self._bad_tokens.append(self._clock.monotonic())
        text = _safe(str(error), _TEXT_MAX)
        detail = {"reason": error.refusal, "address": address, "text": text}
        self._write("manager", "refuse_host", "", "", detail)
        self._feed.publish(Changes(manager=True))

    def forget(self, name: str) -> None:
        """The host of this name was removed."""
        self.recent_refusals.forget(name)
        self.recent_violations.forget(name)

    def count_bad_tokens(self) -> int:
        """Wrong join tokens of the last hour, of which at most `BAD_TOKENS_MAX` are counted."""
        limit = self._clock.monotonic() - _HOUR
        while self._bad_tokens and self._bad_tokens[0] <= limit:
            self._bad_tokens.popleft()
        return len(self._bad_tokens)

    def _write(
        self, actor: str, action: str, host_id: str, name: str, detail: dict[str, str]
    ) -> None:
        self.audit.add(AuditEvent(actor, action, host_id or None, name, detail))


def _safe(text: str, length: int = _NAME_MAX) -> str:
    """Unchecked text, shortened and made safe to store and to show."""
    return safe_line(text[:length])[:length]
