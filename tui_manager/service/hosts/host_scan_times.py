"""HostScanTimes: when the next scan of all hosts is due. A scan is a loop over all hosts that finds
those that have been silent for too long.

`HostTimeouts` and `LostHostWatch` ask each second. In most seconds nothing has changed, and then a
scan of thousands of hosts would find what the last one found.
"""

import math
from collections.abc import Iterable

from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.hosts.host_entry import HostEntry

# Seconds between two scans, at most. The end of a maintenance changes no host, and only a scan
# notices it.
_SCAN_EVERY = 30.0


class HostScanTimes:
    """A scan is due if a host has changed since the last scan, if a host has become silent for too
    long since then, or if the last scan is `_SCAN_EVERY` ago. All times are monotonic seconds."""

    def __init__(self, directory: Directory, lost_after: float) -> None:
        """`lost_after`: seconds of silence that are too long."""
        self._directory = directory
        self._lost_after = lost_after
        self._changes = -1  # of the directory, before the last scan
        self._due = -math.inf

    def is_due(self, monotonic: float) -> bool:
        """Whether to scan now."""
        return self._changes != self._directory.changes or self._due <= monotonic

    def scan_ended(self, changes: int, monotonic: float, left: Iterable[HostEntry]) -> None:
        """Called when what a scan has found is stored. Computes when the next scan is due: when the
        first host of `left` will have been silent for too long, but after `_SCAN_EVERY` at most.

        Args:
            changes: the count of changes of the directory before the scan.
            left: the hosts that are not lost yet, and will be if they stay silent.
        """
        self._changes = changes
        first = min((entry.silent_since for entry in left), default=math.inf)
        self._due = min(first + self._lost_after, monotonic + _SCAN_EVERY)

    def forget(self) -> None:
        """The next scan is due at once."""
        self._changes = -1
