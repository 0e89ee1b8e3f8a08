"""Kills what a supervisor that died has left running."""

import os
import time

from tui_manager_agent.supervisor.cgroup import Cgroup
from tui_manager_agent.supervisor.killing import EMPTY_LOOKS, Family

_WITHIN = 10.0  # seconds that it may take
_PAUSE = 0.02  # seconds until it looks again: these are nobody's children here, and tell nothing


def kill_leftovers(execution_id: str, owner: dict[str, str]) -> tuple[int, list[str]]:
    """Kills the processes of a command whose supervisor is dead.

    Args:
        owner: what the supervisor's claim says: the command's user and cgroup.

    Returns how many were killed, and who survives.
    """
    path = owner.get("cgroup", "")
    cgroup = Cgroup(path) if path and os.path.isdir(path) else None
    family = Family(execution_id, user=int(owner.get("uid", -1)), cgroup=cgroup)
    killed: set[int] = set()
    empty_looks = 0
    give_up_at = time.monotonic() + _WITHIN
    while empty_looks < EMPTY_LOOKS and time.monotonic() < give_up_at:
        found = family.find()
        forbidden = family.kill(found)
        killed.update(set(found) - forbidden)
        if found and len(forbidden) == len(found):
            break
        empty_looks = 0 if found or not family.is_gone() else empty_looks + 1
        time.sleep(_PAUSE)
    survivors = family.survivors()
    if cgroup is not None:
        cgroup.remove()
    return len(killed), survivors
