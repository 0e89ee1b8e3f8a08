"""Ending every process of a command: SIGTERM, the grace, SIGKILL, again until none is left."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import clock, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from tui_manager_agent.supervisor.cgroup import Cgroup
    from tui_manager_agent.supervisor.processes import Found
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

FIRST_LOOK = 10 * clock.MILLISECOND
LONGEST_LOOK = 500 * clock.MILLISECOND
STUBBORN = 10 * clock.SECOND  # how long SIGKILL may take, on a dead network disk say
EMPTY_LOOKS = 3  # looks in a row that find nobody: one may miss a process that forks and ends
PURSUITS = 20  # rounds after those that fork and end faster than a look
NAMED = 20  # survivors in the result
NAMELESS = "processes that fork and end faster than they can be named"


class Family:
    """The processes of one command, wherever they can be found.

    Args:
        user: the uid of the command's user; -1: this process's own.
        cgroup: where the command was started; None: it had no cgroup of its own.
        group: the shell's process group; 0: not known.
        reap: for its supervisor: collects children that ended; True when there is no child, and so
            no descendant. None: this process is not the supervisor.
    """

    def __init__(
        self,
        execution_id: str,
        *,
        user: int,
        cgroup: Cgroup | None,
        group: int = 0,
        reap: Callable[[], bool] | None = None,
    ) -> None:
        self._execution_id = execution_id
        self._user = user
        self._cgroup = cgroup
        self._group = group
        self._reap = reap

    def find(self) -> Found:
        """Who can be seen now: in the cgroup, and those who left it or never had one."""
        root = os.getpid() if self._reap else 0
        found = processes.find(self._execution_id, root, self._group, self._user)
        for pid in (self._cgroup.pids() if self._cgroup else set()) - set(found):
            name, started = processes.look_at(pid)
            if name:
                found[pid] = name, started
        return found

    def is_gone(self) -> bool:
        """Whether the kernel knows of nobody: no child, no descendant, nobody in the cgroup."""
        childless = self._reap is None or self._reap()
        return childless and not (self._cgroup is not None and self._cgroup.is_populated())

    def kill(self, found: Found) -> set[int]:
        """Sends SIGKILL to all; returns those who may not be signalled."""
        if self._cgroup is not None:
            try:
                self._cgroup.kill()  # whoever's they are
            except OSError:
                self._cgroup = None
        forbidden = {
            pid
            for pid, (_, started) in found.items()
            if not processes.send(pid, started, signal.SIGKILL)
        }
        if self._cgroup is not None:
            forbidden -= self._cgroup.pids()
        for _ in range(PURSUITS if self._reap else 0):
            if self.is_gone():
                break
            processes.kill_children()
        return forbidden

    def survivors(self) -> list[str]:
        """Who is there still, as `name (pid)`."""
        found = self.find()
        named = [f"{name} ({pid})" for pid, (name, _) in sorted(found.items())]
        return named or ([] if self.is_gone() else [NAMELESS])


class Killing:
    """One kill under way. `step` is called at `next_look`, and sooner when a child ends.

    Attributes:
        family: whom it ends.
        next_look: boot-time ns of the next step.
        too_late: the command had ended by itself before anything was signalled.
    """

    def __init__(self, family: Family, grace: int, has_ended: Callable[[], bool]) -> None:
        """`has_ended` looks whether the shell has ended."""
        self.family = family
        self._has_ended = has_ended
        self._begun = False
        self._kill_at = clock.now() + grace
        self._give_up_at = self._kill_at + STUBBORN
        self._terminated: set[tuple[int, int]] = set()
        self._empty_looks = 0
        self._pause = FIRST_LOOK
        self.next_look = 0
        self.too_late = False

    def step(self) -> bool:
        """Signals whoever is there now; True when nobody is left who could be ended."""
        now = clock.now()
        forceful = now >= self._kill_at
        found = self.family.find()
        if not self._begun:
            self._begun = True
            self.too_late = self._has_ended()  # looking for processes takes its time
            if self.too_late:
                return True
        forbidden = self.family.kill(found) if forceful else set()
        if not forceful:
            self._terminate(found)
        if self._is_over(found, forbidden, forceful=forceful, late=now >= self._give_up_at):
            return True
        self._pause = min(self._pause * 2, LONGEST_LOOK) if found else FIRST_LOOK
        self.next_look = now + self._pause
        if not forceful:
            self.next_look = min(self.next_look, self._kill_at)
        return False

    def _is_over(self, found: Found, forbidden: set[int], *, forceful: bool, late: bool) -> bool:
        if not found and self.family.is_gone():
            self._empty_looks += 1
            return self._empty_looks >= EMPTY_LOOKS
        self._empty_looks = 0
        return forceful and (late or (bool(found) and len(forbidden) == len(found)))

    def _terminate(self, found: Found) -> None:
        """Sends SIGTERM once to each."""
        for pid, (_, started) in found.items():
            if (pid, started) not in self._terminated:
                self._terminated.add((pid, started))
                processes.send(pid, started, signal.SIGTERM)
                # A stopped process could not answer SIGTERM.
                processes.send(pid, started, signal.SIGCONT)
