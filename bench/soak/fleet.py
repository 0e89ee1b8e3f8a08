"""The process of the emulated agents: `python -m bench.soak.fleet ADDRESS COUNT SEED`.

Cuts streams and restarts agents at random until SIGTERM, then prints what it counted as JSON.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Sequence

from bench.swarm.agent import Agent
from bench.swarm.counts import Tally

_FAULT_EVERY = (0.5, 3.0)  # seconds
_STORM_EVERY = 40  # faults: then a quarter of the fleet is cut at once


async def _spoil(agents: Sequence[Agent], chance: random.Random) -> None:
    number = 0
    while True:
        await asyncio.sleep(chance.uniform(*_FAULT_EVERY))
        number += 1
        if number % _STORM_EVERY == 0:
            for agent in chance.sample(agents, max(1, len(agents) // 4)):
                agent.cut()
        elif chance.random() < 0.3:
            chance.choice(agents).restart()
        else:
            chance.choice(agents).cut()


async def _main(address: str, count: int, seed: int) -> None:
    tally, chance = Tally(), random.Random(seed)
    agents = [
        Agent(f"h{number:03d}", address, tally, random.Random(seed + number))
        for number in range(count)
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    running = [asyncio.create_task(agent.run()) for agent in agents]
    running.append(asyncio.create_task(_spoil(agents, chance)))
    await stop.wait()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    sys.stdout.write(json.dumps(tally.counts()) + "\n")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
