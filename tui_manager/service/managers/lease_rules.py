"""Which managers are alive and which may lead, by what a manager has seen of the others. Pure.

No clock of another machine is compared. A manager that runs counts up a number in the database. The
others measure, by their own clocks, for how long this number has not changed.
"""

from collections.abc import Hashable

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.tables.manager.gateways import GatewayRow, LeaderRow

BEAT_EVERY = 2.5  # seconds between two looks at the database, in which a manager beats too
ALIVE_FOR = 10.0  # seconds without a beat, after which a manager is dead
LEASE = 7.5  # seconds without a renewal, after which another manager may lead
# At most so many seconds count between two looks. If more have passed, this process may have been
# stalled, or no manager could reach the database.
_STEP_MAX = 1.5 * BEAT_EVERY


@dataclass(slots=True)
class Observed:
    """A value that changes while somebody runs.

    Attributes:
        unchanged: for how many seconds it was seen to stand still.
    """

    value: Hashable = None
    unchanged: float = 0.0

    def note(self, value: Hashable, elapsed: float) -> None:
        """The value is this one now, so many seconds after the last look."""
        if value == self.value:
            self.unchanged += min(elapsed, _STEP_MAX)
        else:
            self.value, self.unchanged = value, 0.0


def is_alive(row: GatewayRow, beats: Observed) -> bool:
    """Whether a manager runs."""
    return row.stopped_at is None and row.presumed_dead_at is None and beats.unchanged < ALIVE_FOR


def is_dead(row: GatewayRow, beats: Observed) -> bool:
    """Whether a manager does not run, and the leader has not yet put its hosts offline."""
    return row.presumed_dead_at is None and not is_alive(row, beats)


def may_take_over(own: int, lease: LeaderRow, renewals: Observed) -> bool:
    """Whether this manager, which does not lead, should try to. The lease in the database may be
    its own: of an earlier process, or from before it gave up."""
    return lease.gateway in (0, own) or renewals.unchanged >= LEASE
