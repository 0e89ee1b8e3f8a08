"""The floor under processes: what a shell, and a bare interpreter, cost to start and end."""

import resource
import subprocess
import sys
import time
from collections.abc import Sequence

SHELL = ("/bin/sh", "-c", "true")
INTERPRETER = (sys.executable, "-I", "-S", "-c", "pass")
# What a client of the manager cannot do without, and what a manager is.
OF_CLIENT = (sys.executable, "-c", "import grpc; import tui_manager_protos.v1.operator_pb2_grpc")
OF_MANAGER = (
    sys.executable,
    "-c",
    "import tui_manager.cli.commands.serve, tui_manager.run_manager",
)


def cost(command: Sequence[str], times: int) -> tuple[float, float]:
    """CPU seconds and seconds that a process takes from its start to its end, each on average."""
    used, began = _children(), time.monotonic()
    for _ in range(times):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return (_children() - used) / times, (time.monotonic() - began) / times


def seconds(command: Sequence[str]) -> float:
    """Seconds that a process takes from its start to its end."""
    return cost(command, 1)[1]


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
