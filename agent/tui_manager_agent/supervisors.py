"""The supervisors that live: started here or found after a restart, and watched to their end."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable

from tui_manager_agent.spool import Spool
from tui_manager_agent.supervisor import launch, record

LOOK = 2.0  # seconds between looks at supervisors, in case a ring was lost
_LOADER = ("LD_", "DYLD_")  # what a Python that lies off the usual paths may need
_LOG = logging.getLogger(__name__)


class Supervisors:
    """Watches supervisor processes; calls back when one is gone.

    Where the system has pidfds their end is an event; elsewhere `look` finds it.

    Attributes:
        some: set as long as there is one.
    """

    def __init__(self, gone: Callable[[str], None]) -> None:
        self._gone = gone
        self.some = asyncio.Event()
        self._spools: dict[str, Spool] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._pidfds: dict[str, int] = {}

    def start(self, execution_id: str, spool: Spool) -> None:
        """Starts the supervisor of an order that is `starting`. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        log = os.open(spool.folder / record.LOG, flags, 0o600)
        try:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", launch.__file__, str(spool.folder)],
                cwd="/",
                env={name: value for name, value in os.environ.items() if name.startswith(_LOADER)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._children[execution_id] = child
        self._watch(execution_id, spool, child.pid)

    def adopt(self, execution_id: str, spool: Spool) -> bool:
        """Watches a supervisor that an earlier agent started; False if it is not alive."""
        pid = spool.supervisor_pid()
        if not pid:
            return False
        self._watch(execution_id, spool, pid)
        return True

    def look(self) -> None:
        """Finds who is gone without an event."""
        for execution_id, spool in list(self._spools.items()):
            child = self._children.get(execution_id)
            if child.poll() is not None if child else not spool.supervisor_pid():
                self._end(execution_id)

    def close(self) -> None:
        """Stops watching; the supervisors live on."""
        for execution_id in list(self._pidfds):
            self._unwatch(execution_id)
        for child in self._children.values():
            child.returncode = child.poll() or 0  # not ours to wait for: no warning, please

    def _watch(self, execution_id: str, spool: Spool, pid: int) -> None:
        self._spools[execution_id] = spool
        self.some.set()
        if not hasattr(os, "pidfd_open"):
            return
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            _LOG.debug("no pidfd: execution_id=%s error=%s", execution_id, error)
            return
        self._pidfds[execution_id] = pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._end, execution_id)

    def _unwatch(self, execution_id: str) -> None:
        pidfd = self._pidfds.pop(execution_id, None)
        if pidfd is not None:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)

    def _end(self, execution_id: str) -> None:
        self._unwatch(execution_id)
        child = self._children.pop(execution_id, None)
        if child is not None:
            child.wait()
        del self._spools[execution_id]
        if not self._spools:
            self.some.clear()
        self._gone(execution_id)
