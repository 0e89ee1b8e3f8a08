"""The limits of all processes of a command together, which its cgroup sets."""

from __future__ import annotations

import os

from tui_manager_agent.supervisor.spawn import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_manager_agent.supervisor.processes.cgroup import Cgroup

MEMORY, TASKS, CPU = "memory_max", "tasks_max", "cpu_max"  # entries of an order
# For each: the controller that a cgroup needs, and the feature that Hello lists.
NEEDS = {
    MEMORY: ("memory", "memory-max"),
    TASKS: ("pids", "tasks-max"),
    CPU: ("cpu", "cpu-max"),
}
_PERIOD = 100_000  # microseconds: the kernel's own
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def are_in(order: Mapping[str, str]) -> bool:
    """Whether the order has a limit."""
    return any(name in order for name in NEEDS)


def make_limited(cgroup: Cgroup | None, order: Mapping[str, str]) -> Cgroup:
    """Makes the cgroup with the order's limits. It is empty. Raises SpawnError."""
    if cgroup is None:
        raise SpawnError("cannot set its limits: this agent has no cgroups for commands")
    step = "cannot make its cgroup"
    try:
        cgroup.make()
        cgroup.enable_limits()
        for file, value in _settings(cgroup, order):
            step = f"cannot limit it ({file} = {value})"
            cgroup.limit(file, value)
    except OSError as error:
        cgroup.remove()
        raise SpawnError(f"{step}: {error.strerror}") from None
    return cgroup


def memory_detail(cgroup: Cgroup, order: Mapping[str, str]) -> list[str]:
    """Why a command got SIGKILL, if the kernel did it because of its memory."""
    if not cgroup.memory_kills():
        return []
    if MEMORY not in order:
        return ["killed because the memory of the host, or of the agent's service, was used up"]
    return [f"killed because its memory ({_size(int(order[MEMORY]))}) was used up"]


def _settings(cgroup: Cgroup, order: Mapping[str, str]) -> list[tuple[str, str]]:
    """File and content of each limit."""
    settings = []
    if MEMORY in order:
        if os.path.exists(f"{cgroup.path}/memory.swap.max"):  # else the kernel counts no swap
            settings.append(("memory.swap.max", "0"))
        settings.append(("memory.max", order[MEMORY]))
        settings.append(("memory.oom.group", "1"))  # kills the whole command
    if TASKS in order:
        settings.append(("pids.max", order[TASKS]))
    if CPU in order:
        settings.append(("cpu.max", f"{int(order[CPU]) * _PERIOD // 100} {_PERIOD}"))
    return settings


def _size(count: int) -> str:
    """In the largest unit in which it is a whole number."""
    for size, unit in _UNITS:
        if count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"
