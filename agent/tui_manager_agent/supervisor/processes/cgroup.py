"""The cgroup of one execution (cgroup v2, Linux 5.14 and newer): nothing that forks leaves it.

The command's processes are in it, the supervisor is not. If the command ends and has left processes
in the background, they stay in the cgroup. It is removed when it is empty.
"""

from __future__ import annotations

import os

from tui_manager_agent.supervisor import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

CONTROLLERS = ("cpu", "memory", "pids")
_TRIES = 5  # an agent or supervisor may remove the empty folder of all just now
_MICROSECOND = 1000  # ns


class CgroupRoot:
    """Where the executions of one agent have their cgroups.

    Attributes:
        base: the folder of their cgroups, made with the first and kept for those to come.
        agent_cgroup: the agent's own cgroup, in which the supervisors are.
        controllers: what they can limit, such as `memory`.
    """

    def __init__(self, base: str, agent_cgroup: str, controllers: Collection[str] = ()) -> None:
        self.base = base
        self.agent_cgroup = agent_cgroup
        self.controllers = frozenset(controllers)

    def cgroup(self, execution_id: str) -> Cgroup:
        """The cgroup of an execution, which is not made yet."""
        return Cgroup(f"{self.base}/{execution_id}", self.agent_cgroup)

    def remove(self) -> None:
        """Removes the folder of them all, unless there is one in it."""
        try:  # noqa: SIM105 - contextlib is not cheap
            os.rmdir(self.base)
        except OSError:
            pass


class Cgroup:
    """One cgroup, from `make` to `remove`.

    Args:
        path: its folder.
        agent_cgroup: the supervisor goes back to it.
    """

    def __init__(self, path: str, agent_cgroup: str = "") -> None:
        self.path = path
        self._agent_cgroup = agent_cgroup

    def make(self) -> None:
        """Makes it, and the folder of all if this is the first. Raises OSError."""
        base = self.path.rpartition("/")[0]
        for _ in range(_TRIES):
            try:
                os.mkdir(self.path)
                return
            except FileNotFoundError:
                make_base(base)
        os.mkdir(self.path)

    def enter(self) -> None:
        """Moves this process into it, and so also the processes that it starts from now on. Raises
        OSError."""
        _write(f"{self.path}/cgroup.procs", "0")

    def leave(self) -> None:
        """Moves this process back, but no process that it started. Raises OSError."""
        _write(f"{self._agent_cgroup}/cgroup.procs", "0")

    def is_populated(self) -> bool:
        """Whether a process is in it or below it, as the kernel says."""
        return _field(f"{self.path}/cgroup.events", "populated") != 0

    def pids(self) -> set[int]:
        """The processes that are in it or below it now."""
        found: set[int] = set()
        for folder, _, _ in os.walk(self.path):
            found.update(int(pid) for pid in _read(f"{folder}/cgroup.procs").split())
        return found - {0}  # 0: of another pid namespace

    def kill(self) -> None:
        """Sends SIGKILL to all of them at once, those that fork just now too. Raises OSError."""
        _write(f"{self.path}/cgroup.kill", "1")

    def cpu(self) -> int:
        """CPU time of all that were ever in it, in ns."""
        return _field(f"{self.path}/cpu.stat", "usage_usec") * _MICROSECOND

    def memory_peak(self) -> int:
        """Most bytes that all of them had together; 0 if that is not counted."""
        peak = _read(f"{self.path}/memory.peak").strip()
        return int(peak) if peak.isdigit() else 0

    def memory_kills(self) -> int:
        """How many of them the kernel has killed because their memory was used up."""
        return _field(f"{self.path}/memory.events", "oom_kill")

    def enable_limits(self) -> None:
        """Enables the limits that the system allows, also if another supervisor makes the parent
        folder at the same time."""
        enable_controllers(self.path.rpartition("/")[0])

    def limit(self, controller_file: str, value: str) -> None:
        """Sets a limit such as `memory.max`. Raises OSError."""
        _write(f"{self.path}/{controller_file}", value)

    def remove(self) -> bool:
        """Removes it and what is below it. False while a process is in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:  # a process is in it, or the command has made cgroups of its own
            return self._remove_tree()
        return True

    def _remove_tree(self) -> bool:
        try:
            for folder, _, _ in os.walk(self.path, topdown=False):
                os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True


def make_base(folder: str) -> None:
    """Makes the parent folder of all cgroups. In it each cgroup can count and limit what the system
    allows.

    Raises OSError.
    """
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    enable_controllers(folder)


def enable_controllers(folder: str) -> None:
    """Enables counting and limits for the cgroups in a folder, as far as the system allows.

    A controller that the system does not allow is missing from `controllers`, and a command that
    needs it is refused.
    """
    for controller in _read(f"{folder}/cgroup.controllers").split():
        if controller in CONTROLLERS:
            try:  # noqa: SIM105 - contextlib is not cheap
                _write(f"{folder}/cgroup.subtree_control", f"+{controller}")
            except OSError:
                pass


def controllers(folder: str) -> set[str]:
    """What the cgroups in a folder can limit, such as `memory`."""
    return {name for name in _read(f"{folder}/cgroup.subtree_control").split() if name}


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _read(path: str) -> str:
    """The file's text; empty if it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return record.read_all(descriptor).decode()
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _field(path: str, key: str) -> int:
    """A number from a file of `key number` lines; 0 if it is not there."""
    for line in _read(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0
