"""Kills what a supervisor that died has left running."""

import os
import signal
import time

from tui_manager_agent.supervisor import processes

_WITHIN = 10.0  # seconds that it may take
_PAUSE = 0.02  # seconds until it looks again: these are nobody's children here, and tell nothing


def kill_leftovers(execution_id: str) -> tuple[int, list[str]]:
    """Kills what carries the mark of a command whose supervisor is dead.

    Returns how many were killed, and who survives.
    """
    killed: set[int] = set()
    give_up_at = time.monotonic() + _WITHIN
    while (found := processes.find(execution_id, 0)) and time.monotonic() < give_up_at:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            except ProcessLookupError:
                pass
            except PermissionError:
                give_up_at = 0
        time.sleep(_PAUSE)
    survivors = [f"{name} ({pid})" for pid, name in sorted(found.items())]
    return len(killed - set(found)), survivors
