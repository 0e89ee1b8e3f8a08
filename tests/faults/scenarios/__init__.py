"""Faults that need a fleet of their own. Each is one run, and ends with the checker.

The tests call them, and `make faults` does, which counts them. Each is given a seed.
"""

from tests.faults.fleet.fleet import chosen_managers
from tests.faults.fleet.fleet_database import SQLITE, chosen_database
from tests.faults.fleet.fleet_tls import chosen_tls
from tests.faults.scenarios import (
    cancels,
    clocks,
    disks,
    failover,
    files,
    gateways,
    leaders,
    nats,
    notifications,
    restored,
    returning,
    rollouts,
    schedules,
    sessions,
    silence,
    steps,
    stream,
    swallowed,
    updates,
    upgrades,
)
from tests.faults.scenarios.disks import may_be_root
from tests.faults.scenarios.running import SCENARIOS
from tests.faults.scenarios.several import NEED_SEVERAL

NEED_ROOT = (
    "the manager's disk full",
    "an agent's disk full",
    "the host restarted",
    "a host's disk full in the middle of a copy",
    "the manager's disk full in the middle of a fetch",
)
# The disk of the state folder, which has the file.
NEED_SQLITE = ("the manager's disk full", "the manager's disk full in the middle of a fetch")
# What relays of the suite say for agents, hosts that would enrol anew, and clocks by which no
# certificate is valid.
NEED_INSECURE = (
    "messages sent twice",
    "messages out of order",
    "an agent that dials two gateways at once",
    "an agent's state deleted",
    "an agent that meets another manager",
    "the clock of a gateway a year ahead",
    "the clock of the leader a year behind",
)


def fits(name: str) -> bool:
    """Whether a scenario can be run on the fleets of this process."""
    several = chosen_managers() > 1
    return (
        (name not in NEED_SQLITE or chosen_database() == SQLITE)
        and (name not in NEED_ROOT or may_be_root())
        and (name not in NEED_SEVERAL or several)
        and (name not in NEED_INSECURE or not chosen_tls())
    )


__all__ = [
    "NEED_INSECURE",
    "NEED_ROOT",
    "NEED_SEVERAL",
    "NEED_SQLITE",
    "SCENARIOS",
    "cancels",
    "clocks",
    "disks",
    "failover",
    "files",
    "fits",
    "gateways",
    "leaders",
    "nats",
    "notifications",
    "restored",
    "returning",
    "rollouts",
    "schedules",
    "sessions",
    "silence",
    "steps",
    "stream",
    "swallowed",
    "updates",
    "upgrades",
]
