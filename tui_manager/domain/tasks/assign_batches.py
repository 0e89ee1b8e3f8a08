"""Assigns the hosts of a task to its batches, and says how many hosts may be under way or may fail.
What an operator asks for is in `task_spec/rollout_spec.py`."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.rollout_spec import Order, RolloutSpec, read_batches, read_size

_Host = TypeVar("_Host", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Batches(Generic[_Host]):
    """The hosts of a task in their batches.

    Attributes:
        by_host: the batch of each host, from 1, in the order in which the hosts begin.
        sizes: the number of hosts in each batch.
        max_concurrency: hosts under way at one time; 0: no limit.
        max_failures: hosts that may fail; None: all.
    """

    by_host: dict[_Host, int]
    sizes: tuple[int, ...]
    max_concurrency: int
    max_failures: int | None


def assign_batches(spec: RolloutSpec, hosts: Sequence[_Host]) -> Batches[_Host]:
    """Draws the order of the hosts if it is random, and assigns them to batches.

    Args:
        hosts: each once, in natural order of their names.
    """
    import random  # only a manager needs it, and it takes long to import

    sizes = batch_sizes(spec, len(hosts))
    ordered = random.sample(hosts, len(hosts)) if spec.order is Order.RANDOM else hosts
    numbers = (number for number, size in enumerate(sizes, start=1) for _ in range(size))
    return Batches(
        by_host=dict(zip(ordered, numbers, strict=True)),
        sizes=sizes,
        max_concurrency=concurrency_limit(spec, len(hosts)),
        max_failures=failure_budget(spec, len(hosts)),
    )


def batch_sizes(spec: RolloutSpec, hosts: int) -> tuple[int, ...]:
    """How many of all `hosts` are in each batch; without batches all are in one."""
    sizes = read_batches(spec.batches) or (None,)
    found: list[int] = []
    left = hosts
    while left > 0:
        size = sizes[min(len(found), len(sizes) - 1)]  # the last one repeats
        found.append(left if size is None else min(left, size.of(hosts)))
        left -= found[-1]
    return tuple(found)


def concurrency_limit(spec: RolloutSpec, hosts: int) -> int:
    """How many of all `hosts` may be under way at one time; 0: no limit."""
    text = spec.max_concurrency
    return read_size("max_concurrency", text).of(hosts) if text else 0


def failure_budget(spec: RolloutSpec, hosts: int) -> int | None:
    """How many of all `hosts` may fail; None: all."""
    text = spec.max_failures
    return read_size("max_failures", text, lowest=0).of(hosts, at_least=0) if text else None
