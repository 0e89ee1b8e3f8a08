"""A process that has loaded all that a supervisor needs, and forks one for each order.

It belongs to one agent process, and talks to it through a socket. It reads folders of executions,
each ended by NUL. When the supervisor of one has exited, it writes a record `execution_id=problem`;
the problem says why there could be no supervisor. It exits when the agent closes its end, or dies.
Supervisors live on in either case.
"""

from __future__ import annotations

import gc
import os
import select
import sys

# All modules are loaded before the first fork, so all supervisors of one server have one version,
# also if the files change. A later server, such as one started after an idle time, loads the files
# of its own time.
from tui_manager_agent.supervisor import record, shell, supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

_READ = 64 * 1024
_NULL = 1  # its stdout


class ForkServer:
    """Forks a supervisor for every folder that comes through a socket."""

    def __init__(self, agent: int, cgroup_root: CgroupRoot | None = None) -> None:
        """`agent` is this end's descriptor. `cgroup_root` is None if commands get no cgroups."""
        self._agent = agent
        self._cgroup_root = cgroup_root
        self._unfinished = b""  # the folder that the last read cut
        self._supervisors: dict[int, str] = {}  # pid → execution

    def serve(self) -> None:
        """Works until the agent closes its end."""
        self._signals = shell.watch_signals()
        poll = select.poll()
        for descriptor in (self._agent, self._signals):
            poll.register(descriptor, select.POLLIN)
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page
        try:
            while True:
                for descriptor, _ in poll.poll():
                    if descriptor == self._signals:
                        self._reap()
                    elif not self._take_orders():
                        return
        except (BrokenPipeError, ConnectionResetError):
            return  # the agent is gone
        finally:
            os.close(self._agent)  # the agent must not wait if this process dies of an error
            if self._cgroup_root is not None:
                self._cgroup_root.remove()

    def _take_orders(self) -> bool:
        """False if the agent has closed its end."""
        data = os.read(self._agent, _READ)
        *folders, self._unfinished = (self._unfinished + data).split(b"\0")
        for folder in folders:
            self._fork(os.fsdecode(folder))
        return bool(data)

    def _fork(self, folder: str) -> None:
        execution_id = folder.rpartition("/")[2]
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(execution_id, error.strerror or "no more processes")
            return
        if pid == 0:
            self._become_supervisor(folder)
        self._supervisors[pid] = execution_id

    def _become_supervisor(self, folder: str) -> NoReturn:
        """What the child does. It never returns into the server's code."""
        status = 1
        try:
            os.setsid()
            for descriptor in (self._agent, self._signals, signal.set_wakeup_fd(-1)):
                os.close(descriptor)
            os.dup2(_NULL, 2)  # was the agent's
            status = supervise.supervise(folder, self._cgroup_root)
        except BaseException:
            _log_failure(folder)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        os.read(self._signals, 4096)
        while self._supervisors:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._tell(self._supervisors.pop(pid), "")

    def _tell(self, execution_id: str, problem: str) -> None:
        record.write_all(self._agent, record.encode({execution_id: problem}))


def _log_failure(folder: str) -> None:
    """Writes the error of a supervisor into its folder; the agent reports it."""
    try:
        log = record.open_private(f"{folder}/{record.LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError:
        return
    os.dup2(log, 2)
    sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
