"""Notifies the agent that something in an execution's folder changed."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import clock

DELAY = 5 * clock.MILLISECOND  # one notification for all that a short command does


class Notifier:
    """Writes the execution's id into the agent's FIFO, at most once every DELAY.

    Attributes:
        due: boot-time ns of the next notification; 0 if none is due.
    """

    def __init__(self, path: str, execution_id: str) -> None:
        self._path = path
        self._line = f"{execution_id}\n".encode()
        self.due = 0

    def schedule(self) -> None:
        if not self.due:
            self.due = clock.now() + DELAY

    def notify(self) -> None:
        """Notifies now. If no agent runs, nothing is lost: the next one looks at all folders."""
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
