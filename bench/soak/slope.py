"""Is it flat? The slope of a line through what was measured, within each life of a process."""

from collections import defaultdict
from collections.abc import Sequence

Point = tuple[int, float, float]  # life, seconds, value


def slope(points: Sequence[Point]) -> float:
    """The least-squares slope, value a second, with a level of its own for each life: a restart
    neither hides growth nor makes it."""
    lives: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for life, at, value in points:
        lives[life].append((at, value))
    above = below = 0.0
    for looks in lives.values():
        mean_at = sum(at for at, _ in looks) / len(looks)
        mean = sum(value for _, value in looks) / len(looks)
        above += sum((at - mean_at) * (value - mean) for at, value in looks)
        below += sum((at - mean_at) ** 2 for at, _ in looks)
    return above / below if below else 0.0
