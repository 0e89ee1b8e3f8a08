"""The supervisors that live: started here or found after a restart, and watched to their end."""

import asyncio
import logging
import os
from collections.abc import Callable

from tui_manager_agent.executions.fork_server_client import Launcher
from tui_manager_agent.journal.spool import Spool
from tui_manager_agent.supervisor.cgroup import Place

LOOK = 2.0  # seconds between looks at supervisors, in case a ring was lost
_LOG = logging.getLogger(__name__)


class Supervisors:
    """Watches supervisor processes; calls back when one is gone, with why there was none.

    Of those that this agent started, the fork server tells. Others are watched by their pids: where
    the system has pidfds their end is an event; elsewhere `look` finds it.

    Attributes:
        some: set as long as there is one.
    """

    def __init__(self, gone: Callable[[str, str], None], place: Place | None = None) -> None:
        self._gone = gone
        self.some = asyncio.Event()
        self._spools: dict[str, Spool] = {}
        self._adopted: set[str] = set()
        self._pidfds: dict[str, int] = {}
        self._launcher = Launcher(self._end, self._adopt_or_end, place)

    async def start(self, execution_id: str, spool: Spool) -> bool:
        """Starts the supervisor of an order that is `starting`. Raises OSError.

        False if this was closed before: no supervisor will ever come of it.
        """
        self._hold(execution_id, spool)  # whoever sends may have to wait while others end
        started = False
        try:
            started = await self._launcher.start(spool.folder)
        finally:
            if not started:
                self._let_go(execution_id)
        return started

    def adopt(self, execution_id: str, spool: Spool) -> bool:
        """Watches a supervisor of which no fork server tells; False if it is not alive.

        Raises OSError.
        """
        pid = spool.supervisor_pid()
        if not pid:
            return False
        self._hold(execution_id, spool)
        self._adopted.add(execution_id)
        self._watch(execution_id, pid)
        return True

    def look(self) -> None:
        """Finds who is gone without an event. Of whom nobody can tell now, the next look may."""
        for execution_id in list(self._adopted):
            try:
                alive = self._spools[execution_id].supervisor_pid()
            except OSError as error:
                _LOG.error("not looked at: execution_id=%s error=%s", execution_id, error)
                continue
            if not alive:
                self._end(execution_id)

    def close(self) -> None:
        """Stops watching; the supervisors live on."""
        for execution_id in list(self._pidfds):
            self._unwatch(execution_id)
        self._launcher.close()

    def _watch(self, execution_id: str, pid: int) -> None:
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

    def _adopt_or_end(self, execution_id: str) -> None:
        try:
            alive = self.adopt(execution_id, self._spools[execution_id])
        except OSError as error:  # whoever buries it looks again
            _LOG.error("not looked at: execution_id=%s error=%s", execution_id, error)
            alive = False
        if not alive:
            self._end(execution_id)

    def _hold(self, execution_id: str, spool: Spool) -> None:
        self._spools[execution_id] = spool
        self.some.set()

    def _let_go(self, execution_id: str) -> bool:
        """False if it was not held."""
        held = self._spools.pop(execution_id, None) is not None
        if not self._spools:
            self.some.clear()
        return held

    def _end(self, execution_id: str, problem: str = "") -> None:
        self._unwatch(execution_id)
        self._adopted.discard(execution_id)
        if self._let_go(execution_id):
            self._gone(execution_id, problem)
