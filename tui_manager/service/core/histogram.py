"""Histogram: how often a figure was in which range. A file of its own, because it knows neither
what is measured nor who reads it."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_SECONDS = (0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


class Histogram:
    """Counts figures in ranges. Used on the manager's loop only."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        """
        Args:
            bounds: the highest figure of each range, rising. A last range has no highest figure.
        """
        self.bounds = tuple(bounds)
        self.total = 0.0  # of all observed figures
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, figure: float) -> None:
        """Adds a figure. One below 0, as different clocks may give, counts as 0."""
        figure = max(0.0, figure)
        self._counts[bisect_left(self.bounds, figure)] += 1
        self.total += figure

    @property
    def count(self) -> int:
        """How many figures were observed."""
        return sum(self._counts)

    def cumulative(self) -> tuple[int, ...]:
        """How many figures were not above each bound, and last how many there are."""
        return tuple(accumulate(self._counts))
