"""Ending every process of a command: SIGTERM, the grace, SIGKILL, again until none is left."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import clock, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

FIRST_LOOK = 10 * clock.MILLISECOND
LONGEST_LOOK = 500 * clock.MILLISECOND
STUBBORN = 10 * clock.SECOND  # how long SIGKILL may take, on a dead network disk say


class Killing:
    """One kill under way. `step` is called at `next_look`, and sooner when a child ends.

    Attributes:
        next_look: boot-time ns of the next step.
        too_late: the command had ended by itself before anything was signalled.
        survivors: when done, the processes that live on, as `name (pid)`.
    """

    def __init__(
        self, execution_id: str, group: int, grace: int, has_ended: Callable[[], bool]
    ) -> None:
        """`has_ended` looks whether the shell has ended."""
        self._has_ended = has_ended
        self._begun = False
        self._execution_id = execution_id
        self._group = group
        self._kill_at = clock.now() + grace
        self._give_up_at = self._kill_at + STUBBORN
        self._terminated: set[int] = set()
        self._pause = FIRST_LOOK
        self.next_look = 0
        self.too_late = False
        self.survivors: list[str] = []

    def step(self) -> bool:
        """Signals whoever is there now; True when nobody is left who could be ended."""
        now = clock.now()
        forceful = now >= self._kill_at
        found = processes.find(self._execution_id, os.getpid(), self._group)
        if not self._begun:
            self._begun = True
            self.too_late = self._has_ended()  # looking for processes takes its time
            if self.too_late:
                return True
        forbidden = {pid for pid in found if not self._signal(pid, forceful)}
        left = found if forceful and now >= self._give_up_at else forbidden
        if len(left) == len(found) and (forceful or not found):
            self.survivors = [f"{name} ({pid})" for pid, name in sorted(found.items())]
            return True
        self._pause = min(self._pause * 2, LONGEST_LOOK)
        self.next_look = now + self._pause
        if not forceful:
            self.next_look = min(self.next_look, self._kill_at)
        return False

    def _signal(self, pid: int, forceful: bool) -> bool:
        """False if this process may not be signalled."""
        try:
            if forceful:
                os.kill(pid, signal.SIGKILL)
            elif pid not in self._terminated:
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)  # a stopped process could not answer SIGTERM
                self._terminated.add(pid)
            else:
                os.kill(pid, 0)
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        return True
