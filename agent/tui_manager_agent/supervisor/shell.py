"""The command itself as a child: `/bin/sh -c -- TEXT`, or the program of a script. Reaps it and all
its descendants."""

from __future__ import annotations

import os
import resource

from tui_manager_agent.supervisor import clock
from tui_manager_agent.supervisor.processes.processes import ON_LINUX
from tui_manager_agent.supervisor.spawn import spawn
from tui_manager_agent.supervisor.spool_writer import Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from tui_manager_agent.supervisor.processes.cgroup import Cgroup
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

_MAXRSS_UNIT = 1024 if ON_LINUX else 1  # bytes; getrusage(2) differs by system


def watch_signals() -> int:
    """A descriptor from which the number of each SIGCHLD and SIGUSR1 can be read, a byte each."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    return reader


class Shell:
    """The running shell, or the program of a script. Raises SpawnError when it cannot be started.

    Attributes:
        pid: of the shell, and of its process group.
        started: boot-time ns of the exec.
        ended: whether it has ended; its own background processes may live on.
    """

    def __init__(
        self,
        order: dict[str, str],
        arguments: list[bytes],
        pipes: list[Pipe],
        cgroup: Cgroup | None = None,
        stdin: int = -1,
    ) -> None:
        """As `spawn` has the arguments."""
        try:
            self.pid = spawn(order, arguments, [pipe.writer for pipe in pipes], cgroup, stdin)
        finally:
            for pipe in pipes:
                pipe.close_writer()
        self.started = clock.now()
        self.ended = 0
        self._status = 0
        self._cpu = 0.0
        self._memory_peak = 0

    def reap(self) -> bool:
        """Reaps every child that exited, adopted orphans included.

        Returns True if no child is left. If orphans are adopted, then no descendant is left either.
        """
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if not pid:
                return False
            self._cpu += usage.ru_utime + usage.ru_stime
            self._memory_peak = max(self._memory_peak, usage.ru_maxrss * _MAXRSS_UNIT)
            if pid == self.pid:
                self.ended = clock.now()
                self._status = status

    def has_ended(self) -> bool:
        """Whether it has ended; reaps it if so."""
        self.reap()
        return bool(self.ended)

    def outcome(self, killed_for: str) -> dict[str, object]:
        """The entries of the result. A kill decides the status, also after exit 0."""
        ended = self.ended or clock.now()  # SIGKILL did not end the shell
        outcome: dict[str, object] = {
            "ended": ended,
            "duration": ended - self.started,
            "cpu": int(self._cpu * clock.SECOND),
            "memory_peak": _known_peak(self._memory_peak),
        }
        code = os.waitstatus_to_exitcode(self._status) if self.ended else None
        if code is not None:
            outcome["exit_code" if code >= 0 else "signal"] = abs(code)
        if killed_for:
            outcome.update(status=killed_for, reason="")
        elif code == 0:
            outcome.update(status="completed", reason="")
        else:
            failed = code is not None and code > 0
            outcome.update(status="failed", reason="exit_code" if failed else "signal")
        return outcome


def _known_peak(peak: int) -> int:
    """Bytes; 0 if unknown: on Linux a spawned child is charged with this process's own peak."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT if ON_LINUX else 0
    return peak if peak > own else 0
