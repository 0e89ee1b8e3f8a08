"""WalkTimes: when a walk over all hosts may find one that has been silent for too long.

`HostTimeouts` and `LostHosts` look each second. In most seconds nothing has changed, and then a
walk over thousands of hosts would find what the last one found.
"""

import math
from collections.abc import Iterable

from tui_manager.service.core.host_directory import Directory
from tui_manager.service.core.host_entry import HostEntry

# Seconds. A maintenance ends, and no change tells of it.
_WALK_EVERY = 30.0


class WalkTimes:
    """A walk is due if a host has changed since the last walk, if the silence of one has become too
    long by now, or if the last walk is some time ago. All times are monotonic seconds."""

    def __init__(self, directory: Directory, lost_after: float) -> None:
        """`lost_after`: seconds of silence that are too long."""
        self._directory = directory
        self._lost_after = lost_after
        self._changes = -1  # of the directory, before the last walk
        self._due = -math.inf

    def is_due(self, monotonic: float) -> bool:
        """Whether to walk now."""
        return self._changes != self._directory.changes or self._due <= monotonic

    def walked(self, changes: int, monotonic: float, left: Iterable[HostEntry]) -> None:
        """A walk has ended, and what it found is stored. If it is not called, or if a host of
        `left` has been silent for too long, the next walk is due at once.

        Args:
            changes: of the directory, before the walk.
            left: the hosts that may be found later although they do not change.
        """
        self._changes = changes
        first = min((entry.silent_since for entry in left), default=math.inf)
        self._due = min(first + self._lost_after, monotonic + _WALK_EVERY)

    def forget(self) -> None:
        """The next walk is due at once."""
        self._changes = -1
