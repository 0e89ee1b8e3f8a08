"""NATS between the managers: away, late, and messages that come again and out of order."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import new_fleet
from tests.faults.scenarios.several import (
    HOSTS,
    more_tasks_end,
    says,
    says_no_more,
    several,
    under_load,
)
from tests.support.managers.nats_server import NatsServer, nats_server

_CANNOT_TELL = "Managers cannot tell each other of changes"
_AGAIN = {"Again": "1"}  # headers of a message that is sent again
_LATE = 3.0  # seconds
_STALLED = 8.0  # seconds


@contextlib.asynccontextmanager
async def _with_nats(seed: str) -> AsyncIterator[tuple[Fleet, NatsServer]]:
    with nats_server() as server:
        setting = f'"nats://{server.place}"'
        async with new_fleet(seed, *HOSTS, change_feed=setting) as fleet:
            await fleet.gather_agents(fleet.managers[1])
            async with under_load(fleet):
                await more_tasks_end(fleet)
                yield fleet, server


@several("NATS away, and back")
async def away(seed: str) -> None:
    async with _with_nats(seed) as (fleet, server):
        for _ in range(2):
            fleet.note("NATS is away")
            server.stop()
            for manager in fleet.managers:
                await says(fleet, manager, _CANNOT_TELL)
            await more_tasks_end(fleet)
            fleet.note("NATS is back")
            server.start()
            for manager in fleet.managers:
                await says_no_more(fleet, manager, _CANNOT_TELL)
            await more_tasks_end(fleet)


@several("NATS stopped for seconds, which delivers late")
async def late(seed: str) -> None:
    async with _with_nats(seed) as (fleet, server):
        for seconds in (1.0, _STALLED):
            fleet.note(f"NATS is stopped for {seconds:g} s")
            with server.stalled():
                await more_tasks_end(fleet)
                await asyncio.sleep(seconds)
            await more_tasks_end(fleet)


@several("messages of NATS that come again, late and out of order")
async def again(seed: str) -> None:
    dice = random.Random(seed)
    async with _with_nats(seed) as (fleet, server), _said_again(server, dice) as count:
        await more_tasks_end(fleet, 10)
        fleet.note(f"{len(count)} messages came again")
        assert count, fleet.explain()


@contextlib.asynccontextmanager
async def _said_again(server: NatsServer, dice: random.Random) -> AsyncIterator[list[str]]:
    """Each message comes a second time, after a while as the dice say; yields their subjects."""
    client, repeated = Client(), list[str]()
    repeating: set[asyncio.Task[None]] = set()

    async def repeat(message: Msg) -> None:
        await asyncio.sleep(dice.uniform(0, _LATE))
        if client.is_closed:
            return
        await client.publish(message.subject, message.data, headers=_AGAIN)
        repeated.append(message.subject)

    async def hear(message: Msg) -> None:
        if not message.headers:
            task = asyncio.create_task(repeat(message))
            repeating.add(task)
            task.add_done_callback(repeating.discard)

    await client.connect(f"nats://{server.place}", allow_reconnect=False)
    try:
        await client.subscribe(">", cb=hear)
        yield repeated
    finally:
        await client.close()  # first: what it hears would come again
        for task in list(repeating):
            task.cancel()
        await asyncio.gather(*repeating, return_exceptions=True)
