"""Kills all processes of a command: SIGTERM, the grace period, SIGKILL until none is left."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import clock
from tui_manager_agent.supervisor.processes import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from tui_manager_agent.supervisor.processes.cgroup import Cgroup
    from tui_manager_agent.supervisor.processes.processes import Found
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

FIRST_CHECK = 10 * clock.MILLISECOND
LONGEST_PAUSE = 500 * clock.MILLISECOND
KILL_WITHIN = 10 * clock.SECOND  # how long SIGKILL may take, for example on a dead network disk
EMPTY_CHECKS = 3  # in a row that find nobody: one may miss a process that forks and exits
CHILD_ROUNDS = 20  # rounds of SIGKILL for children that fork and exit faster than a check
SURVIVORS_NAMED = 20  # survivors in the result
UNNAMED_SURVIVORS = "processes that fork and end faster than they can be named"


class CommandProcesses:
    """The processes of one command: descendants, those with its mark, and those in its cgroup.

    Args:
        user: the uid of the command's user; -1: this process's own.
        cgroup: where the command was started; None: it had no cgroup of its own.
        group: the shell's process group; 0: not known.
        reap: reaps children that exited, and returns whether there are none, and so no descendants.
            None: this process is not the supervisor.
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
        """Those that can be seen now, in the cgroup and outside of it."""
        root = os.getpid() if self._reap else 0
        found = processes.find(self._execution_id, root, self._group, self._user)
        for pid in (self._cgroup.pids() if self._cgroup else set()) - set(found):
            name, started = processes.inspect(pid)
            if name:
                found[pid] = name, started
        return found

    def is_gone(self) -> bool:
        """Whether the kernel says that there are none: no child, no descendant, an empty cgroup."""
        childless = self._reap is None or self._reap()
        return childless and not (self._cgroup is not None and self._cgroup.is_populated())

    def kill(self, found: Found) -> set[int]:
        """Sends SIGKILL to all. Returns those that this process may not signal."""
        if self._cgroup is not None:
            try:
                self._cgroup.kill()  # of every user
            except OSError:
                self._cgroup = None
        forbidden = {
            pid
            for pid, (_, started) in found.items()
            if not processes.send(pid, started, signal.SIGKILL)
        }
        if self._cgroup is not None:
            forbidden -= self._cgroup.pids()
        for _ in range(CHILD_ROUNDS if self._reap else 0):
            if self.is_gone():
                break
            processes.kill_children()
        return forbidden

    def survivors(self) -> list[str]:
        """Those that still exist, as `name (pid)`."""
        found = self.find()
        named = [f"{name} ({pid})" for pid, (name, _) in sorted(found.items())]
        return named or ([] if self.is_gone() else [UNNAMED_SURVIVORS])


class Killing:
    """A kill in progress. Call `step` at `next_check`, and sooner if a child exits.

    Attributes:
        targets: the processes to kill.
        next_check: boot-time ns of the next step.
        too_late: the command had ended by itself before the first signal.
    """

    def __init__(
        self, targets: CommandProcesses, grace: int, has_ended: Callable[[], bool]
    ) -> None:
        """`grace` is in ns. `has_ended` checks whether the shell has ended."""
        self.targets = targets
        self._has_ended = has_ended
        self._has_begun = False
        self._kill_at = clock.now() + grace
        self._give_up_at = self._kill_at + KILL_WITHIN
        self._terminated: set[tuple[int, int]] = set()
        self._empty_checks = 0
        self._pause = FIRST_CHECK
        self.next_check = 0
        self.too_late = False

    def step(self) -> bool:
        """Signals those that exist now. True if none is left that could be killed."""
        now = clock.now()
        forceful = now >= self._kill_at
        found = self.targets.find()
        if not self._has_begun:
            self._has_begun = True
            self.too_late = self._has_ended()  # to find the processes takes time
            if self.too_late:
                return True
        forbidden = self.targets.kill(found) if forceful else set()
        if not forceful:
            self._terminate(found)
        if self._is_over(found, forbidden, forceful=forceful, late=now >= self._give_up_at):
            return True
        self._pause = min(self._pause * 2, LONGEST_PAUSE) if found else FIRST_CHECK
        self.next_check = now + self._pause
        if not forceful:
            self.next_check = min(self.next_check, self._kill_at)
        return False

    def _is_over(self, found: Found, forbidden: set[int], *, forceful: bool, late: bool) -> bool:
        if not found and self.targets.is_gone():
            self._empty_checks += 1
            return self._empty_checks >= EMPTY_CHECKS
        self._empty_checks = 0
        return forceful and (late or (bool(found) and len(forbidden) == len(found)))

    def _terminate(self, found: Found) -> None:
        """Sends SIGTERM once to each."""
        for pid, (_, started) in found.items():
            if (pid, started) not in self._terminated:
                self._terminated.add((pid, started))
                processes.send(pid, started, signal.SIGTERM)
                # A stopped process could not answer SIGTERM.
                processes.send(pid, started, signal.SIGCONT)
