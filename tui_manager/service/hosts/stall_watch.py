"""StallWatch: notices that this process could not run, so that no host is called silent because of
it."""

import asyncio
import logging

from tui_manager.service.core.core import Core

log = logging.getLogger(__name__)
_LOOK_EVERY = 1.0  # seconds, at most
_STALL_MIN = 0.5  # seconds by which a look is late if this process was stalled


class StallWatch:
    """Extends all silence timers after a stall. Runs in every manager.

    Attributes:
        pause: seconds between two looks.
    """

    def __init__(self, core: Core) -> None:
        self._directory = core.directory
        self._clock = core.clock
        self.pause = min(_LOOK_EVERY, core.limits.lost_after.total_seconds() / 4)
        self._due = 0.0  # when the next look is on time; monotonic seconds

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            self._expect()
            await asyncio.sleep(self.pause)
            self.run_once()

    def _expect(self) -> None:
        self._due = self._clock.monotonic() + self.pause

    def run_once(self) -> None:
        """Finds whether this process was stalled since the last look. Whoever judges a silence
        calls it first."""
        late = self._clock.monotonic() - self._due if self._due else 0.0
        if late >= _STALL_MIN:
            self._expect()
            log.warning("this manager was stalled", extra={"seconds": round(late, 1)})
            self.extend_timers(late)

    def extend_timers(self, seconds: float) -> None:
        """Extends all silence timers after this process was stalled for so long: it could not hear
        anybody."""
        for entry in self._directory:
            entry.silent_since += seconds
            if entry.expected_until:
                entry.expected_until += seconds
            if entry.session:
                entry.session.heard_at += seconds
