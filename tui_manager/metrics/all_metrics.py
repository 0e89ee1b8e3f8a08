"""The table of all metrics, by the subjects of the manual. Each is read from memory. A file of its
own, because the server and the tests of the manual both read it."""

from tui_manager.metrics.host_metrics import HOSTS
from tui_manager.metrics.manager_metrics import DATABASE, MANAGER
from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.metrics.metric import Metric, Reading
from tui_manager.metrics.work_metrics import WORK

GROUPS = {"Tasks": WORK, "Hosts": HOSTS, "The database": DATABASE, "The manager": MANAGER}
METRICS: tuple[Metric, ...] = tuple(metric for group in GROUPS.values() for metric in group)


def read_all(source: ManagerSource) -> tuple[Reading, ...]:
    """All metrics as they are now. To be called on the manager's loop."""
    source.look_at_fleet()
    return tuple(Reading(metric, tuple(metric.read(source))) for metric in METRICS)
