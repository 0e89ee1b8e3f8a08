"""Whether commands get cgroups of their own on this host, where, and which limits these can set."""

import asyncio
import logging
import os
from collections.abc import Iterable

from tui_manager_agent.executions.held_executions import HeldExecutions
from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.supervisor.processes.cgroup import (
    Cgroup,
    CgroupRoot,
    controllers,
    enable_controllers,
    make_base,
)
from tui_manager_agent.supervisor.processes.cgroup_limits import NEEDS

CLEAN_EVERY = 60.0  # seconds
_SUBGROUP = "agent"  # the agent's own cgroup in its unit (DelegateSubgroup=)
_LOG = logging.getLogger(__name__)


class NoCgroupsError(Exception):
    """Commands get no cgroups here; the text says why."""


def find_cgroup_root(agent: str) -> CgroupRoot | None:
    """Where commands get cgroups. None if they get none; the log says why.

    Args:
        agent: an id of this agent, which stays the same after a restart.
    """
    try:
        cgroup_root = _find(agent)
    except NoCgroupsError as error:
        _LOG.warning("commands run without cgroups of their own: reason=%s", error)
        return None
    limited = ",".join(sorted(cgroup_root.controllers)) or "nothing"
    _LOG.info(
        "commands run in cgroups of their own: folder=%s can_limit=%s", cgroup_root.base, limited
    )
    return cgroup_root


def features(cgroup_root: CgroupRoot | None) -> list[str]:
    """The features that Hello lists because of the cgroups."""
    if cgroup_root is None:
        return []
    limits = [word for need, word in NEEDS.values() if need in cgroup_root.controllers]
    return ["cgroup", *limits]


def check_limits(order: Order, cgroup_root: CgroupRoot | None) -> None:
    """Raises RefusedError if this agent cannot set a limit that the order has."""
    can = cgroup_root.controllers if cgroup_root else frozenset[str]()
    missing = [
        word for name, (need, word) in NEEDS.items() if name in order.limits and need not in can
    ]
    if missing:
        problem = f"this agent cannot set the limits {', '.join(missing)} on a command"
        raise RefusedError("rejected", f"{problem}: its host gives it no cgroups that can")


def remove_empty_cgroups(cgroup_root: CgroupRoot, but: Iterable[str]) -> None:
    """Removes the empty cgroups, `but` not those of these executions. Removes the folder of all if
    it is then empty."""
    try:
        names = set(os.listdir(cgroup_root.base))
    except OSError:
        return  # there is none
    for name in names.difference(but):
        if os.path.isdir(f"{cgroup_root.base}/{name}"):
            Cgroup(f"{cgroup_root.base}/{name}").remove()
    cgroup_root.remove()


async def remove_empty_regularly(
    cgroup_root: CgroupRoot, held: HeldExecutions, disk: DiskThread
) -> None:
    """Removes cgroups that no supervisor removed: the command left something in the background
    there, or its supervisor is dead. Works until it is cancelled."""
    while True:
        in_use = [execution.id for execution in held if not execution.ended]
        await disk.run(remove_empty_cgroups, cgroup_root, in_use)
        await asyncio.sleep(CLEAN_EVERY)


def _find(agent: str) -> CgroupRoot:
    own = _own_cgroup()
    # Limits need a cgroup that holds no process itself: the parent of the unit's subgroup is one.
    parent = os.path.dirname(own) if os.path.basename(own) == _SUBGROUP else own
    for folder in {own, parent}:
        if not os.access(f"{folder}/cgroup.procs", os.W_OK):
            raise NoCgroupsError(f"{folder} is not delegated to the agent (Delegate=yes)")
    if parent != own:
        enable_controllers(parent)
    base = f"{parent}/tui-manager-agent-{agent}"
    try:
        make_base(base)
        can_kill, can_limit = os.path.exists(f"{base}/cgroup.kill"), controllers(base)
        os.rmdir(base)
    except OSError as error:
        if not os.path.exists(f"{base}/cgroup.kill"):
            raise NoCgroupsError(f"{base}: {error.strerror}") from None
        can_kill, can_limit = True, controllers(base)  # an earlier agent's commands are in it
    if not can_kill:
        raise NoCgroupsError("this kernel cannot kill a cgroup (Linux 5.14 can)")
    return CgroupRoot(base, own, can_limit)


def _own_cgroup() -> str:
    """The folder of this process's cgroup. Raises NoCgroupsError."""
    try:
        with open("/proc/self/cgroup") as file:
            path = next(line[3:] for line in file.read().splitlines() if line.startswith("0::"))
        with open("/proc/self/mountinfo") as file:
            mounts = [line.split() for line in file]
    except (OSError, StopIteration):
        raise NoCgroupsError("this system has no cgroup v2") from None
    for mount in mounts:
        # Its root is the cgroup that is seen at the mount point; the type stands behind a dash.
        root, point, kind = mount[3], mount[4], mount[mount.index("-") + 1]
        if kind == "cgroup2" and (path + "/").startswith(root.rstrip("/") + "/"):
            point = point.encode().decode("unicode_escape")  # a space is \040
            folder = (point + path.removeprefix(root.rstrip("/"))).rstrip("/")
            if os.path.isdir(folder):
                return folder
    raise NoCgroupsError("cgroup v2 is not mounted, or not with the agent's own cgroup")
