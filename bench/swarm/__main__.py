"""One process of emulated agents.

`python -m bench.swarm ADDRESS COUNT FIRST [--trace] [--credentials FILE]`

Questions, a line each on stdin: `dial WAITING` starts all agents, at most so many of which wait to
be welcomed the first time (0: all may), `online SECONDS` waits until all are online,
`cut` breaks all streams, `tally` and `trace` tell what was counted.
"""

import argparse
import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tui_manager_agent.identity.credentials import Credentials

from bench.swarm import enrolled_hosts
from bench.swarm.agent import Agent
from bench.swarm.counts import Tally, Trace
from bench.swarm.host_names import host_name
from bench.under_test.answer_questions import answer
from bench.under_test.open_files import allow_connections

_REMEMBERS = 2  # results that an agent keeps behind their acknowledgement


class Crowd:
    """The agents of this process."""

    def __init__(
        self, address: str, count: int, first: int, *, traced: bool, credentials: Path | None
    ) -> None:
        self.tally = Tally()
        self._trace: Trace | None = {} if traced else None
        self._moved = asyncio.Event()
        held: Iterator[Credentials | None] = iter([None] * count)
        if credentials:
            held = enrolled_hosts.credentials(credentials, first, count)
        self._agents = [
            Agent(
                host_name(number),
                address,
                self.tally,
                random.Random(number),
                remembers=_REMEMBERS,
                trace=self._trace,
                credentials=mine,
                moved=self._moved.set,
            )
            for number, mine in zip(range(first, first + count), held, strict=True)
        ]
        self._running: list[asyncio.Task[None]] = []

    async def dial(self, waiting: str) -> float:
        """Starts the agents, and says when: monotonic seconds."""
        began = time.monotonic()
        self._running.append(asyncio.create_task(self._start(int(waiting) or len(self._agents))))
        return began

    async def _start(self, waiting: int) -> None:
        for number, agent in enumerate(self._agents):
            while number - self.tally.sessions >= waiting:
                self._moved.clear()
                await self._moved.wait()
            self._running.append(asyncio.create_task(agent.run()))

    async def online(self, seconds: str) -> dict[str, Any]:
        """Waits until all are welcomed, for so long at most.

        Returns:
            When each was (monotonic seconds, 0: it is not), and the counts.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(float(seconds)):
                while not all(agent.welcomed_at for agent in self._agents):
                    self._moved.clear()
                    await self._moved.wait()
        return {"welcomed_at": [agent.welcomed_at for agent in self._agents], **await self.counts()}

    async def counts(self) -> dict[str, Any]:
        """What was counted."""
        return {
            **self.tally.counts(),
            "refusal": self.tally.refusal,
            "dials_at": list(self.tally.dials_at.items()),
        }

    async def cut(self) -> int:
        """The network fails everywhere."""
        for agent in self._agents:
            agent.cut()
        return len(self._agents)

    async def trace(self) -> dict[str, tuple[int, ...]]:
        """The moments of each execution since the last call."""
        trace = self._trace or {}
        told = {execution_id: astuple(moments) for execution_id, moments in trace.items()}
        trace.clear()
        return told


async def _main(options: argparse.Namespace) -> None:
    crowd = Crowd(
        options.address,
        options.count,
        options.first,
        traced=options.trace,
        credentials=options.credentials,
    )
    await answer(
        {
            "dial": crowd.dial,
            "online": crowd.online,
            "tally": crowd.counts,
            "cut": crowd.cut,
            "trace": crowd.trace,
        }
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.swarm")
    parser.add_argument("address", metavar="HOST:PORT[,HOST:PORT…]")
    parser.add_argument("count", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--credentials", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = _options()
    allow_connections(chosen.count)
    asyncio.run(_main(chosen))
