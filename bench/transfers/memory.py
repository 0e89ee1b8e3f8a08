"""Memory of the manager and of all agents, which are killed and started again meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.process_memory import MIB, weigh

_LOOK_EVERY = 1.0  # seconds
Pids = Mapping[str, Sequence[int]]  # of the processes that live now, by what they are


@dataclass(slots=True)
class Memory:
    """What was seen, in bytes: PSS where the system tells it.

    Attributes:
        before, after: of the largest process, when nothing runs.
        peak: the most that any of these processes had.
    """

    before: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """`manager 41 -> 88 -> 60 MiB`: before, peak, after."""
        return ", ".join(
            f"{name} {self.before[name] / MIB:.0f} -> {self.peak[name] / MIB:.0f} -> "
            f"{self.after[name] / MIB:.0f} MiB"
            for name in self.before
        )


@asynccontextmanager
async def watched(pids: Callable[[], Pids]) -> AsyncIterator[Memory]:
    """Looks each second until the block is left."""
    seen = Memory()

    async def look() -> dict[str, int]:
        now = await asyncio.to_thread(_largest, pids())
        for name, size in now.items():
            seen.peak[name] = max(size, seen.peak.get(name, 0))
        return now

    async def look_again() -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            await look()

    seen.before = await look()
    looking = asyncio.create_task(look_again())
    try:
        yield seen
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        seen.after = await look()


def _largest(pids: Pids) -> dict[str, int]:
    """Of each kind, of those that still live."""
    weights = {name: [weigh(pid) for pid in some] for name, some in pids.items()}
    return {
        name: max((weight.memory for weight in some if weight), default=0)
        for name, some in weights.items()
    }
