"""The command itself: `/bin/sh -c TEXT` as a child, and everything that is reaped after it."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import clock, record
from tui_manager_agent.supervisor.output import Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # `signal` makes enums, which cost a command 4 ms

SHELL = "/bin/sh"
_MAXRSS_UNIT = 1024 if os.uname().sysname == "Linux" else 1  # bytes; getrusage(2) differs by system


class SpawnError(Exception):
    """The shell could not be started; the text is for the operator."""


def watch_children() -> int:
    """A descriptor that becomes readable when a child ended."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


class Shell:
    """The running shell. Raises SpawnError when it cannot be started.

    Attributes:
        pid: of the shell, and of its process group.
        started: boot-time ns of the exec.
        ended: whether it has ended; its own background processes may live on.
    """

    def __init__(self, order: dict[str, str], pipes: list[Pipe]) -> None:
        cwd = order["cwd"]
        try:
            os.chdir(cwd.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise SpawnError(f"cannot use the folder {cwd}: {error.strerror}") from None
        try:
            self.pid = _spawn(order, pipes)
        except OSError as error:
            raise SpawnError(f"cannot start {SHELL}: {error.strerror}") from None
        finally:
            os.chdir("/")  # keeps no disk of the host busy
            for pipe in pipes:
                pipe.close_writer()
        self.started = clock.now()
        self.ended = 0
        self._status = 0
        self._cpu = 0.0
        self._memory_peak = 0

    def reap(self) -> None:
        """Collects every child that ended, orphans that were adopted among them."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._cpu += usage.ru_utime + usage.ru_stime
            self._memory_peak = max(self._memory_peak, usage.ru_maxrss * _MAXRSS_UNIT)
            if pid == self.pid:
                self.ended = clock.now()
                self._status = status

    def has_ended(self) -> bool:
        """Whether it has ended, which is looked at just now."""
        self.reap()
        return bool(self.ended)

    def outcome(self, killed_for: str) -> dict[str, object]:
        """The result's own part. A kill decides the status, whatever the shell made of it."""
        ended = self.ended or clock.now()  # an unkillable shell
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
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            status = file.read()
    except OSError:
        return peak
    own = int(status.partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024
    return peak if peak > own else 0


def _spawn(order: dict[str, str], pipes: list[Pipe]) -> int:
    prefix = record.ENVIRONMENT
    environment = {
        key.removeprefix(prefix).encode("utf-8", "surrogateescape"): value.encode(
            "utf-8", "surrogateescape"
        )
        for key, value in order.items()
        if key.startswith(prefix)
    }
    return os.posix_spawn(
        SHELL,
        [SHELL.encode(), b"-c", order["command"].encode("utf-8", "surrogateescape")],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            *((os.POSIX_SPAWN_DUP2, pipe.writer, to) for to, pipe in enumerate(pipes, start=1)),
        ],
        setpgroup=0,
        setsigmask=[],
        setsigdef=[s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)],
    )
