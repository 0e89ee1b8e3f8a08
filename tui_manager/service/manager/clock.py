"""Where the services take the time from."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tui_manager.storage.engine.instants import from_datetime


def _now() -> datetime:
    return datetime.now(UTC)


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: goes on in sleep too


def _boottime() -> float:
    return time.clock_gettime(_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Clock:
    """Three clocks: `now` for what is stored and shown, `monotonic` (seconds) for what is judged,
    `boottime` (seconds), which goes on while the machine sleeps, to know whether `now` is right."""

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    boottime: Callable[[], float] = _boottime

    def stamp(self) -> int:
        """Now, as the database keeps it."""
        return from_datetime(self.now())
