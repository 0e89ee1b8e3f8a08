"""Telling the agent that something in an execution's folder changed, whether it is there or not."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import clock

DELAY = 5 * clock.MILLISECOND  # gathers what a short command does into one ring


class Bell:
    """Writes the execution's id into the agent's FIFO, at most once every DELAY.

    Attributes:
        due: boot-time ns of the next ring; 0 when there is nothing to tell.
    """

    def __init__(self, path: str, execution_id: str) -> None:
        self._path = path
        self._line = f"{execution_id}\n".encode()
        self.due = 0

    def soon(self) -> None:
        if not self.due:
            self.due = clock.now() + DELAY

    def ring(self) -> None:
        """Rings now. Without a reader nothing is lost: an agent that comes back looks itself."""
        self.due = 0
        try:
            fifo = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            os.write(fifo, self._line)
        except OSError:
            pass
        finally:
            os.close(fifo)
