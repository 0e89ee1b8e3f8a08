"""The supervisors as the agent sees them: it starts and finds them, watches them until they exit,
and is notified by them when something in an execution's folder changed."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from tui_manager_agent.executions.fork_server_client import ForkServerClient
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot

CHECK_EVERY = 2.0  # seconds between checks of all supervisors, in case a notification was lost
FIFO = "bell"  # in the state folder
_READ = 64 * 1024
_LONGEST = 64  # bytes of an unfinished line that are kept; an id has 36
_LOG = logging.getLogger(__name__)


class Supervisors:
    """Watches supervisor processes, and calls back when one has exited.

    The fork server tells of those that this agent started. Others are watched by their pids: if the
    system has pidfds their exit is an event; otherwise `check` finds it.

    Args:
        on_exit: called with the execution, and why there could be no supervisor, if so.

    Attributes:
        is_any: set as long as there is one.
    """

    def __init__(
        self, on_exit: Callable[[str, str], None], cgroup_root: CgroupRoot | None = None
    ) -> None:
        self._on_exit = on_exit
        self.is_any = asyncio.Event()
        self._spools: dict[str, ExecutionFolder] = {}
        self._adopted: set[str] = set()
        self._pidfds: dict[str, int] = {}
        self._fork_server = ForkServerClient(self._exited, self._adopt_or_exited, cgroup_root)

    async def start_supervisor(self, execution_id: str, spool: ExecutionFolder) -> bool:
        """Starts the supervisor of an order that is `starting`. Raises OSError.

        False if this was closed before: no supervisor will ever be started for it.
        """
        self._add(execution_id, spool)  # sending may have to wait, and others exit meanwhile
        started = False
        try:
            started = await self._fork_server.request_supervisor(spool.folder)
        finally:
            if not started:
                self._remove(execution_id)
        return started

    def adopt(self, execution_id: str, spool: ExecutionFolder) -> bool:
        """Watches a supervisor that no fork server tells of. False if it is not alive.

        Raises OSError.
        """
        pid = spool.supervisor_pid()
        if not pid:
            return False
        self._add(execution_id, spool)
        self._adopted.add(execution_id)
        self._watch(execution_id, pid)
        return True

    def check(self) -> None:
        """Finds supervisors that exited without an event. What cannot be checked now may be checked
        the next time."""
        for execution_id in list(self._adopted):
            try:
                alive = self._spools[execution_id].supervisor_pid()
            except OSError as error:
                _LOG.error("supervisor not checked: execution_id=%s error=%s", execution_id, error)
                continue
            if not alive:
                self._exited(execution_id)

    def close(self) -> None:
        """Stops watching; the supervisors live on."""
        for execution_id in list(self._pidfds):
            self._unwatch(execution_id)
        self._fork_server.close()

    def _watch(self, execution_id: str, pid: int) -> None:
        if not hasattr(os, "pidfd_open"):
            return
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            _LOG.debug("no pidfd: execution_id=%s error=%s", execution_id, error)
            return
        self._pidfds[execution_id] = pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._exited, execution_id)

    def _unwatch(self, execution_id: str) -> None:
        pidfd = self._pidfds.pop(execution_id, None)
        if pidfd is not None:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)

    def _adopt_or_exited(self, execution_id: str) -> None:
        try:
            alive = self.adopt(execution_id, self._spools[execution_id])
        except OSError as error:  # recovery checks again
            _LOG.error("supervisor not checked: execution_id=%s error=%s", execution_id, error)
            alive = False
        if not alive:
            self._exited(execution_id)

    def _add(self, execution_id: str, spool: ExecutionFolder) -> None:
        self._spools[execution_id] = spool
        self.is_any.set()

    def _remove(self, execution_id: str) -> bool:
        """False if it was not there."""
        was_there = self._spools.pop(execution_id, None) is not None
        if not self._spools:
            self.is_any.clear()
        return was_there

    def _exited(self, execution_id: str, problem: str = "") -> None:
        self._unwatch(execution_id)
        self._adopted.discard(execution_id)
        if self._remove(execution_id):
            self._on_exit(execution_id, problem)


class FifoListener:
    """Reads the FIFO and calls back with the id of each execution whose folder changed, each id
    once a wake-up.

    Notifications that come while no agent runs are lost: look at every folder after the start.
    """

    def __init__(self, state_dir: Path, on_change: Callable[[str], None]) -> None:
        """Raises OSError."""
        self.path = state_dir / FIFO
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
