"""The same commands on both engines of the database, one right after the other."""

import time
from dataclasses import dataclass

from bench.figures import INSECURE, Figure
from bench.measures.short_commands import SHORT
from bench.process_memory import CpuMeter
from bench.under_test.fleet import CONNECT_WITHIN, fleet
from bench.under_test.postgresql import postgresql

_MOST_COMMANDS = 100  # of a task
_ROUNDS = 2  # of each; the better one counts


@dataclass(frozen=True, slots=True)
class _Rate:
    """Of commands, all committed.

    Attributes:
        rate: commands a second.
        cpu: seconds of the manager for one.
    """

    rate: float
    cpu: float


async def engines(agents: int, results: int) -> list[Figure]:
    """`results` is how many command hosts each run has, about."""
    each = max(1, min(_MOST_COMMANDS, results // agents))
    sqlite = await _best(agents, each, "")
    async with postgresql() as (_, url):
        other = await _best(agents, each, url)
    what = f"PostgreSQL: {each} commands on each, one after another"
    return [
        Figure(
            key="postgresql_rate",
            what=what,
            value=other.rate,
            unit="commands/s",
            agents=agents,
            security=INSECURE,
            floor=sqlite.rate,
            floor_of="the same on SQLite",
        ),
        Figure(
            key="postgresql_cpu",
            what="PostgreSQL: manager's CPU a command",
            value=1000 * other.cpu,
            unit="ms",
            agents=agents,
            security=INSECURE,
            floor=1000 * sqlite.cpu,
            floor_of="the same on SQLite",
        ),
    ]


async def _best(agents: int, each: int, database: str) -> _Rate:
    async with fleet(agents, INSECURE, database=database) as started:
        await started.swarm.dial(CONNECT_WITHIN)
        await started.run(SHORT)  # the first one plans the statements
        taken = []
        for _ in range(_ROUNDS):
            meter = CpuMeter(started.manager.running)
            began = time.monotonic()
            ran = await started.run(*[SHORT] * each)
            done = ran.task.counts.completed
            taken.append(_Rate(done / (time.monotonic() - began), meter.seconds / done))
    return max(taken, key=lambda one: one.rate)
