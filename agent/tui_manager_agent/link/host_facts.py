"""What this host says of itself, at its enrolment and in every Hello."""

import os
import socket
from collections.abc import Mapping
from typing import TypedDict

from tui_manager_agent import __version__
from tui_manager_agent.identity.identity import machine_id
from tui_manager_agent.settings import Settings

PROTOCOL_VERSION = 1


class About(TypedDict):
    """Fields that Hello and EnrollRequest both have."""

    protocol_version: int
    agent_version: str
    name: str
    machine_id: str
    hostname: str
    os: str
    arch: str
    labels: Mapping[str, str]


def about(settings: Settings) -> About:
    system = os.uname()
    return About(
        protocol_version=PROTOCOL_VERSION,
        agent_version=__version__,
        name=settings.name,
        machine_id=machine_id(),
        hostname=socket.gethostname(),
        os=system.sysname.lower(),
        arch=system.machine,
        labels=settings.labels,
    )
