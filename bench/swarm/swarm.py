"""All emulated agents of a benchmark, as the process that measures sees them."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.swarm.counts import Moments, Trace
from bench.under_test.helper_processes import Worker, ask_all, crew

_PROCESSES = 4  # at most: two cores have to carry them beside the manager
_ALONE = 100  # agents that one process holds at least


class NotOnlineError(Exception):
    """Agents were not welcomed in time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How the agents came online.

    Attributes:
        seconds: of each agent, from the moment that is counted from; in order.
        dials: tries that all agents made together since the swarm began.
        dials_at_once: the most of them within one second.
    """

    seconds: Sequence[float]
    dials: int
    dials_at_once: int


class Swarm:
    """Started, but silent until they dial."""

    def __init__(self, workers: Sequence[Worker], count: int) -> None:
        self._workers = workers
        self.count = count

    @property
    def pids(self) -> list[int]:
        """Of its processes."""
        return [worker.pid for worker in self._workers]

    async def dial(self, within: float, waiting: int = 0) -> Arrival:
        """All agents dial, at once or one after another. Raises NotOnlineError.

        Args:
            within: seconds until all are online, at most.
            waiting: the most agents that wait to be welcomed at one time; 0: all.
        """
        began = min(await ask_all(self._workers, "dial", waiting // len(self._workers)))
        return await self.online(began, within)

    async def online(self, since: float, within: float) -> Arrival:
        """Waits until all are online.

        Args:
            since: monotonic seconds from which their arrival is counted.
            within: seconds to wait at most.

        Raises:
            NotOnlineError: some are not.
        """
        told = await ask_all(self._workers, "online", within)
        arrived = sorted(at - since for each in told for at in each["welcomed_at"] if at)
        dials = sum(each["dials"] for each in told)
        if len(arrived) < self.count:
            refusals = {each["refusal"] for each in told if each["refusal"]}
            raise NotOnlineError(
                f"{len(arrived)} of {self.count} agents are online after {within:g} s and {dials} "
                f"dials. Refusals: {refusals or 'none'}."
            )
        at: Counter[int] = Counter()
        for each in told:
            at.update(dict(each["dials_at"]))
        since_then = [number for second, number in at.items() if second >= int(since)]
        return Arrival(arrived, dials, max(since_then, default=0))

    async def cut(self) -> float:
        """The network fails everywhere; returns when, monotonic seconds."""
        began = time.monotonic()
        await ask_all(self._workers, "cut")
        return began

    async def trace(self) -> Trace:
        """The moments of each execution since the last call."""
        return {
            execution_id: Moments(*moments)
            for told in await ask_all(self._workers, "trace")
            for execution_id, moments in told.items()
        }


def processes_for(count: int) -> int:
    """Over how many processes so many agents, or bare streams, are shared out."""
    return max(1, min(_PROCESSES, count // _ALONE))


@asynccontextmanager
async def swarm(
    address: str, count: int, credentials: Path | None = None, *, traced: bool = False
) -> AsyncIterator[Swarm]:
    """Emulated agents until the block is left; `dial` starts them.

    Args:
        credentials: a file of `enrolled.enroll`; None: no TLS.
    """
    options: list[object] = ["--trace"] if traced else []
    if credentials:
        options += ["--credentials", credentials]
    async with crew("bench.swarm", address, count, processes_for(count), *options) as workers:
        yield Swarm(workers, count)
