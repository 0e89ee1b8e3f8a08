"""ManagerSource: the parts of a manager from which metrics are read. A file of its own, because the
tables of metrics and the server both need it."""

from dataclasses import dataclass

from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core


@dataclass(frozen=True, slots=True)
class ManagerSource:
    """Used on the manager's loop.

    Attributes:
        version: of the program.
        name: by which operators know this manager.
    """

    core: Core
    clock_watch: ClockWatch
    version: str
    name: str
