"""What the samples say: slopes against their bounds, and the picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.chart import Line, Panel, draw, minutes
from bench.process_memory import MIB, Weight
from bench.soak.samples import Sample
from bench.soak.slope import slope

MEMORY_BOUND = 1.0  # MiB a minute
DESCRIPTOR_BOUND = 1.0  # a minute
_WARM_UP = 120.0  # seconds
_ENOUGH = 60  # samples: in fewer, what an allocator keeps for a moment looks like growth
_Of = Callable[[Weight], float]


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth of one figure over the second half, a minute."""

    name: str
    growth: float
    bound: float

    @property
    def flat(self) -> bool:
        """Whether it stays below its bound."""
        return self.growth <= self.bound


def _memory(weight: Weight) -> float:
    return weight.memory / MIB


def _descriptors(weight: Weight) -> float:
    return float(weight.descriptors)


def slopes(samples: Sequence[Sample]) -> list[Slope]:
    """Memory and descriptors of both processes, judged over the second half of the run, and once
    a manager has had the time to fill its caches. Empty when the run is too short for that."""
    half = [
        sample
        for sample in samples
        if sample.at >= samples[-1].at / 2 and sample.at - _born(samples, sample) >= _WARM_UP
    ]
    if len(half) < _ENOUGH:
        return []
    found = []
    for what, of, bound in (
        ("memory (MiB)", _memory, MEMORY_BOUND),
        ("descriptors", _descriptors, DESCRIPTOR_BOUND),
    ):
        manager = [(one.life, one.at, of(one.manager)) for one in half if one.manager]
        fleet = [(0, one.at, of(one.fleet)) for one in half if one.fleet]
        found.append(Slope(f"manager's {what}", 60 * slope(manager), bound))
        found.append(Slope(f"agents' {what}", 60 * slope(fleet), bound))
    return found


def _born(samples: Sequence[Sample], sample: Sample) -> float:
    return next(other.at for other in samples if other.life == sample.life)


def picture(samples: Sequence[Sample], agents: int) -> str:
    """The SVG: memory, descriptors, database and commits; a mark where the manager was ended."""
    seconds = samples[-1].at
    events = [
        after.at
        for before, after in pairwise(samples)
        if after.life != before.life or (before.manager and not after.manager)
    ]
    title = f"Soak: {agents} emulated agents, constant tasks, faults, {seconds / 60:.0f} minutes"
    panels = [
        Panel("memory, MiB (red: the manager was ended)", _both(samples, _memory)),
        Panel("open file descriptors", _both(samples, _descriptors)),
        Panel(
            "database, MiB",
            [Line("manager.db", [(one.at, one.database_bytes / MIB) for one in samples])],
        ),
        Panel(
            "commit, ms (median of the last 200)",
            [Line("commit", [(one.at, _milliseconds(one.commit_seconds)) for one in samples])],
        ),
    ]
    return draw(title, panels, minutes(seconds), events)


def _both(samples: Sequence[Sample], of: _Of) -> list[Line]:
    return [
        Line("manager", [(one.at, of(one.manager) if one.manager else None) for one in samples]),
        Line("agents", [(one.at, of(one.fleet) if one.fleet else None) for one in samples]),
    ]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
