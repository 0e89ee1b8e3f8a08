"""One process of this host, held on to, so that its pid cannot come to mean another."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import TracebackType
    from typing import Self
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms


class Process:
    """Use it as a context. Where there are no pidfds (an old system, a filter of system calls, too
    many open files) it is only as sure as its pid, so look at it once more before you send."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._pidfd = -1

    def __enter__(self) -> Self:
        if hasattr(os, "pidfd_open"):
            try:
                self._pidfd = os.pidfd_open(self._pid)
            except ProcessLookupError:
                self._pid = 0  # it has ended
            except OSError:
                pass
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def send(self, number: int) -> None:
        """Sends it a signal, unless it has ended. Raises PermissionError."""
        try:
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, number)
            elif self._pid:
                os.kill(self._pid, number)
        except ProcessLookupError:
            pass
