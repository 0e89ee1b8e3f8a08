"""What a host's owner can set; where the values come from is `main.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one agent.

    Attributes:
        manager: HOST:PORT to dial.
        state_dir: where the journal and the output lie until the manager has them.
        name: what the host wants to be called; empty: its hostname.
        capacity: commands that run at once; more wait.
    """

    manager: str
    state_dir: Path
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: int = 5
