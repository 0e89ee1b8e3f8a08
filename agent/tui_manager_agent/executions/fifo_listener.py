"""The FIFO in the state folder through which supervisors notify the agent; it outlives both."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

FILE = "bell"
_READ = 64 * 1024
_LONGEST = 64  # bytes of an unfinished line that are kept; an id has 36


class FifoListener:
    """Calls back with the id of each execution whose folder changed, each once a wake-up.

    Notifications that come while no agent runs are lost: look at every folder after the start.
    """

    def __init__(self, state_dir: Path, on_change: Callable[[str], None]) -> None:
        """Raises OSError."""
        self.path = state_dir / FILE
        self._on_change = on_change
        self._unfinished = b""  # the line that the last read cut
        if not self.path.is_fifo():
            self.path.unlink(missing_ok=True)
            os.mkfifo(self.path, 0o600)
        # Open for writing too, so that it never reads as closed.
        self._fifo = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._fifo, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fifo)
        os.close(self._fifo)

    def _read(self) -> None:
        *lines, unfinished = (self._unfinished + os.read(self._fifo, _READ)).split(b"\n")
        self._unfinished = unfinished[-_LONGEST:]
        for line in dict.fromkeys(lines):
            if line:
                self._on_change(line.decode("ascii", "replace"))
