"""Where the services take the time from."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tui_manager.storage.instants import from_datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `now` for what is stored and shown, `monotonic` (seconds) for what is judged."""

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic

    def stamp(self) -> int:
        """Now, as the database keeps it."""
        return from_datetime(self.now())
