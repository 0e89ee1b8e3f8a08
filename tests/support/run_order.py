"""The order of the tests in a run by several processes: half of these begin with those that are
marked `long`. So at the end no process waits for another one that has begun such a test. Most long
tests wait for the programs that they have started: meanwhile the other half uses the cores."""

import os
from collections.abc import Iterable, Sequence

import pytest


def order_for_run(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests of a run, as this process has collected them, in another order."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if not processes:
        return list(items)
    is_short = [item.get_closest_marker("long") is None for item in items]
    return [items[index] for index in order(is_short, processes)]


def order(is_short: Sequence[bool], processes: int) -> list[int]:
    """The numbers of tests in the order in which they are taken: pytest-xdist's `worksteal` gives
    each process as many as the others, and those beside each other."""
    long = [number for number, short in enumerate(is_short) if not short]
    others = iter([number for number, short in enumerate(is_short) if short])
    half = (processes + 1) // 2
    found: list[int] = []
    for process in range(processes):
        share = (len(is_short) - len(found)) // (processes - process)
        first = long[process::half] if process < half else []
        found += [*first, *_next(others, share - len(first))]
    return [*found, *others]


def _next(numbers: Iterable[int], count: int) -> list[int]:
    return [number for _, number in zip(range(count), numbers, strict=False)]
