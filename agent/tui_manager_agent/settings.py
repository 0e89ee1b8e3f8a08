"""What a host's owner can set, and the defaults. A file of its own, because all packages of the
agent may import it; `cli/arguments.py` reads the values from options and variables."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

# Defaults that `--help` names too.
CAPACITY = 5  # commands at once
SPOOL_LIMIT = 1 << 30  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one agent.

    Attributes:
        managers: HOST:PORT to dial, at least one; all on one database.
        state_dir: the folder of the journal and the output until the manager has them.
        insecure: no TLS and no proof of the manager; on this machine only.
        name: what the host wants to be called; empty: its hostname.
        capacity: commands that run at once; more wait.
        spool_limit: bytes that output of ended commands may take until the manager has it; past it
            the oldest goes first, and is shown as a gap.
        policy: the file that says what may run; None: at the default place, if it is there.
        facts: the file with the owner's facts; None: as of `policy`.
    """

    managers: Sequence[str]
    state_dir: Path
    insecure: bool = False
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: int = CAPACITY
    spool_limit: int = SPOOL_LIMIT
    policy: Path | None = None
    facts: Path | None = None
