"""ManagerSource: the parts of a manager from which metrics are read. A file of its own, because the
tables of metrics and the server both need it."""

from dataclasses import field
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.metrics.unended_work import FollowedWork
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.core.hosts.fleet_counts import FleetFigures


@dataclass(slots=True)
class ManagerSource:
    """Used on the manager's loop.

    Attributes:
        fleet: the hosts at the moment of the reading.
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
    fleet: FleetFigures = field(default_factory=FleetFigures)

    def look_at_fleet(self) -> None:
        """Counts the hosts; before each reading."""
        self.fleet = fleet_counts.figures(self.core.directory, self.clock_watch.now())
