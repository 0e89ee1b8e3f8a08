"""Faults that need a fleet of their own. Each is one run, and ends with the checker.

The tests call them, and `make faults` does, which counts them. Each is given a seed.
"""

from tests.faults.scenarios import (
    cancels,
    clocks,
    disks,
    restored,
    returning,
    rollouts,
    schedules,
    silence,
    steps,
    stream,
    swallowed,
)
from tests.faults.scenarios.running import SCENARIOS

NEED_ROOT = (
    "the manager's disk full",
    "an agent's disk full",
    "the host restarted",
)
NEED_SQLITE = ("the manager's disk full",)  # the disk of the state folder, which has the file

__all__ = [
    "NEED_ROOT",
    "NEED_SQLITE",
    "SCENARIOS",
    "cancels",
    "clocks",
    "disks",
    "restored",
    "returning",
    "rollouts",
    "schedules",
    "silence",
    "steps",
    "stream",
    "swallowed",
]
