"""Many emulated hosts on the real wire, whose commands end when a test says so."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence

from bench.swarm.agent import Agent
from bench.swarm.counts import Tally, Trace
from bench.swarm.emulated_command import Work
from tests.faults.checks.rollout_checks import most_at_once
from tui_manager.domain.task_spec.task_spec import CommandSpec

UNTIL_TOLD = CommandSpec(Work(seconds=86_400).text)


class EmulatedHosts:
    """Agents in this process, which dial again whenever their stream breaks."""

    def __init__(self, address: str, count: int) -> None:
        self._trace: Trace = {}
        self._ended: dict[str, int] = {}  # monotonic nanoseconds
        self._agents = [
            Agent(f"h{number:03}", address, Tally(), random.Random(number), trace=self._trace)
            for number in range(count)
        ]

    @contextlib.asynccontextmanager
    async def dialing(self) -> AsyncIterator[None]:
        """They dial until the block is left."""
        running = [asyncio.create_task(agent.run()) for agent in self._agents]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    @property
    def online(self) -> int:
        """How many have a session."""
        return sum(bool(agent.welcomed_at) for agent in self._agents)

    @property
    def begun(self) -> int:
        """How many commands they have received."""
        return len(self._trace)

    @property
    def ended(self) -> int:
        """How many commands have come to their end."""
        return len(self._ended)

    def busy(self) -> Sequence[str]:
        """The executions that run."""
        return [execution for agent in self._agents for execution in agent.executions.unended]

    def finish(self, code: int) -> None:
        """One of the commands that run comes to its end."""
        agent = next(agent for agent in self._agents if agent.executions.unended)
        (execution,) = agent.executions.unended
        agent.executions.finish(execution, code)
        self._ended[execution] = time.monotonic_ns()

    def received_at(self, execution: str) -> int | None:
        """When a host received it, monotonic nanoseconds."""
        return self._trace[execution].received if execution in self._trace else None

    def ended_at(self, execution: str) -> int | None:
        """When it came to its end."""
        return self._ended.get(execution)

    @property
    def most_at_once(self) -> int:
        """How many commands ran at one time."""
        return most_at_once(
            (moments.received, self._ended[execution]) for execution, moments in self._trace.items()
        )
