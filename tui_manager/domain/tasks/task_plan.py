"""On which hosts a task would run now, and in which batches."""

from collections.abc import Collection, Mapping, Sequence

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.rollout_spec import Order, RolloutSpec
from tui_manager.domain.tasks.assign_batches import assign_batches

_NO_REFUSALS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class PlannedHost:
    """A host of a plan.

    Attributes:
        batch: from 1; 0: not known, as a random order is drawn when the task starts.
        maintenance: it is in maintenance, and the task takes such hosts in.
        refusal: why its agent cannot get one of the commands, a sentence; empty: it can, as far as
            that is known.
    """

    name: str
    batch: int
    online: bool
    maintenance: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What a task would do if it started now.

    Attributes:
        hosts: in the order in which they begin, or by name if the order is random.
        left_out: names of hosts that the target matches and that the task leaves out.
        batches: the number of hosts in each.
        max_concurrency: hosts under way at one time; 0: no limit.
        max_failures: hosts that may fail; None: all.
    """

    hosts: tuple[PlannedHost, ...]
    left_out: tuple[str, ...]
    batches: tuple[int, ...]
    max_concurrency: int
    max_failures: int | None


def make_plan(
    rollout: RolloutSpec,
    names: Sequence[str],
    *,
    offline: Collection[str],
    maintenance: Collection[str] = frozenset(),
    left_out: Sequence[str] = (),
    refusals: Mapping[str, str] = _NO_REFUSALS,
) -> TaskPlan:
    """The plan of a task.

    Args:
        names: of the hosts that it would run on, in natural order.
        offline, maintenance: names of those that are offline, and in maintenance.
        refusals: why agents cannot get a command, by the names of their hosts.
    """
    batches = assign_batches(rollout, names)
    known = rollout.order is Order.NAME or len(batches.sizes) == 1
    hosts = tuple(
        PlannedHost(
            name,
            batches.by_host[name] if known else 0,
            name not in offline,
            name in maintenance,
            refusals.get(name, ""),
        )
        for name in names
    )
    return TaskPlan(
        hosts=hosts,
        left_out=tuple(left_out),
        batches=batches.sizes,
        max_concurrency=batches.max_concurrency,
        max_failures=batches.max_failures,
    )
