"""One process that has loaded what a supervisor needs, and becomes one, by a fork, for each order.

It belongs to one agent process, whose socket it holds. Folders of executions come in, each ended by
NUL; when the supervisor of one has ended, a record `execution_id=problem` goes back, in which the
problem is why there could be none. It leaves when the agent closes its end, or dies. Supervisors
live on, whatever becomes of either.
"""

from __future__ import annotations

import gc
import os
import select
import sys

# Everything is loaded before the first fork: all supervisors of one server are of one version,
# whatever becomes of the files. The server that follows it, as when it had left because nobody
# needed it for long, loads the files of then.
from tui_manager_agent.supervisor import forking as forking
from tui_manager_agent.supervisor import record, shell, supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from tui_manager_agent.supervisor.cgroup import Place
else:
    import _signal as signal  # `signal` makes enums, which take 4 ms

_READ = 64 * 1024
_NULL = 1  # its stdout


class ForkServer:
    """Forks a supervisor for every folder that comes through a socket."""

    def __init__(self, agent: int, place: Place | None = None) -> None:
        """`agent` is this end's descriptor; `place` is where commands get cgroups, if they do."""
        self._agent = agent
        self._place = place
        self._begun = b""  # the folder that the last read cut
        self._supervisors: dict[int, str] = {}  # pid → execution

    def serve(self) -> None:
        """Works until the agent wants no more of it."""
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
            os.close(self._agent)  # the agent goes on also if nobody reads of what this dies
            if self._place is not None:
                self._place.remove()

    def _take_orders(self) -> bool:
        """False when there will be no more."""
        data = os.read(self._agent, _READ)
        *folders, self._begun = (self._begun + data).split(b"\0")
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
        """The child's whole life. It never returns into the server's."""
        status = 1
        try:
            os.setsid()
            for descriptor in (self._agent, self._signals, signal.set_wakeup_fd(-1)):
                os.close(descriptor)
            os.dup2(_NULL, 2)  # was the agent's
            status = supervise.supervise(folder, self._place)
        except BaseException:
            _leave_word(folder)
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


def _leave_word(folder: str) -> None:
    """Writes down of what a supervisor died; the agent tells the operator."""
    try:
        log = record.open_private(f"{folder}/{record.LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError:
        return
    os.dup2(log, 2)
    sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
