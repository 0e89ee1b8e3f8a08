"""What agents do that they must not: refusals, violations, wrong join tokens. Each is counted, kept
for the operator's attention, and written into the audit as often as `limited_audit.py` lets it."""

import logging
from collections import deque

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.safe_text import safe_line
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.limited_audit import LimitedAudit, Offence
from tui_manager.service.manager.recent_events import Recent
from tui_manager.service.manager.statistics import Statistics
from tui_manager.storage.engine.database import Database

log = logging.getLogger(__name__)
_SHOWN = (Refusal.DUPLICATE_IDENTITY, Refusal.NAME_TAKEN)  # an operator can mend these
_TEXT = 500  # characters kept of a sentence
_NAME = 64  # characters kept of a name
_HOUR = 3600.0  # seconds
TOKENS_MAX = 1000  # wrong join tokens whose time is remembered


class Offences:
    """Used on the manager's loop; nothing here waits."""

    def __init__(
        self, database: Database, feed: ChangeFeed, statistics: Statistics, clock: Clock
    ) -> None:
        self._feed = feed
        self._counters = statistics.counters
        self._clock = clock
        self._bad_tokens: deque[float] = deque(maxlen=TOKENS_MAX)
        self.audit = LimitedAudit(database, clock)
        self.refusals = Recent(clock)
        self.violations = Recent(clock)

    def refused(self, name: str, address: str, error: RefusedError, host_id: str = "") -> None:
        """An agent was turned away.

        Args:
            name: what it says that it is called.
            host_id: whose certificate it has shown; empty when nobody knows.
        """
        name = _shown(name)
        self._counters.refusals += 1
        if error.refusal in _SHOWN:
            self.refusals.note(name, _shown(str(error), _TEXT))
        told = {"reason": error.refusal, "address": address, "text": _shown(str(error), _TEXT)}
        log.warning("agent refused", extra={"host": name, **told})
        self._write("manager", "refuse_host", host_id, name, told)
        self._feed.publish(Changes(manager=True))

    def violated(self, host_id: str, name: str, what: str) -> None:
        """A host broke the rules of the wire; `what` is a sentence."""
        name, what = _shown(name), _shown(what, _TEXT)
        self._counters.violations += 1
        self.violations.note(name, what)
        log.warning("agent broke the rules", extra={"host": name, "text": what})
        self._write(f"host {name}", "violation", host_id, name, {"text": what})
        self._feed.publish(Changes(manager=True))

    def bad_token(self, address: str, error: RefusedError) -> None:
        """Somebody showed a join token that is none, or none any more. Whoever guesses may do so
        often and under any name: all of them share a row of the audit, and none has a line in the
        log."""
        self._counters.bad_tokens += 1
        self._bad_tokens.append(self._clock.monotonic())
        told = {"reason": error.refusal, "address": address, "text": _shown(str(error), _TEXT)}
        self._write("manager", "refuse_host", "", "", told)
        self._feed.publish(Changes(manager=True))

    def bad_tokens(self) -> int:
        """Wrong join tokens of the last hour, of which at most `TOKENS_MAX` are counted."""
        limit = self._clock.monotonic() - _HOUR
        while self._bad_tokens and self._bad_tokens[0] <= limit:
            self._bad_tokens.popleft()
        return len(self._bad_tokens)

    def _write(
        self, actor: str, action: str, host_id: str, name: str, detail: dict[str, str]
    ) -> None:
        self.audit.add(Offence(actor, action, host_id or None, name, detail))


def _shown(text: str, length: int = _NAME) -> str:
    """What was never checked, as it may be stored and shown."""
    return safe_line(text[:length])[:length]
