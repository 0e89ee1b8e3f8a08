"""Messages that come twice, and out of order."""

import random
from functools import partial

from tests.faults.checks.checker import check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.relay import Relay
from tests.faults.scenarios.running import all_ended, scenario, stored
from tests.support.memory_folder import memory_folder
from tui_manager.domain.task_spec.task_spec import Offline


async def _shuffled(seed: str, twice: float, swapped: float) -> Relay:
    dice = random.Random(seed)
    with memory_folder("faults-") as folder:
        fleet = Fleet(folder, seed)
        relay = Relay(dice, lambda: fleet.managers[0].proxy.target, twice, swapped)
        await relay.start()
        fleet.dial = relay.address
        # Messages out of order end streams: a host may be offline for a moment when a task starts.
        run = partial(fleet.run, "@all", offline=Offline.WAIT)
        try:
            await fleet.start("h1", "h2")
            first = await run(command(60), command(20, code=3))
            second = await run(command(60))
            third = await run(command(400))
            short = [await run(command(5)) for _ in range(4)]
            await stored(fleet, 20_000)
            await fleet.cancel(third)
            await all_ended(fleet, first, second, third, *short)
            last = await run(command(400))  # while old messages come again
            await all_ended(fleet, last)
            fleet.note(f"{dict(relay.done)}")
            check(fleet)
        finally:
            await relay.stop()
            await fleet.close()
    return relay


@scenario("messages sent twice")
async def twice(seed: str) -> None:
    await _shuffled(seed, twice=0.5, swapped=0)


@scenario("messages out of order")
async def out_of_order(seed: str) -> None:
    await _shuffled(seed, twice=0.1, swapped=0.15)
