"""ManagerSource: the parts of a manager from which metrics are read. A file of its own, because the
tables of metrics and the server both need it."""

from dataclasses import dataclass
from pathlib import Path

from tui_manager.metrics.unended_work import FollowedWork
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core


@dataclass(frozen=True, slots=True)
class ManagerSource:
    """Used on the manager's loop.

    Attributes:
        work: what has not ended.
        state_dir: whose disk must have room.
        version: of the program.
        name: by which operators know this manager.
    """

    core: Core
    clock_watch: ClockWatch
    work: FollowedWork
    state_dir: Path
    version: str
    name: str
