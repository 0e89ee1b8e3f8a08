"""The floor under processes: what a shell, and a bare interpreter, cost to start and end."""

import resource
import subprocess
import sys
import time
from collections.abc import Sequence

SHELL = ("/bin/sh", "-c", "true")
INTERPRETER = (sys.executable, "-I", "-S", "-c", "pass")


def cost(command: Sequence[str], times: int) -> tuple[float, float]:
    """CPU seconds and seconds that a process takes from its start to its end, each on average."""
    used, began = _children(), time.monotonic()
    for _ in range(times):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return (_children() - used) / times, (time.monotonic() - began) / times


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
