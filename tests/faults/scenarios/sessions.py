"""One agent and several gateways: thrown from one to the next, or seen at two at once."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import AsyncIterator

import grpc.aio
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import agent_pb2_grpc as pb_grpc

from tests.faults.checks.checker import check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.relay import Relay
from tests.faults.scenarios.running import new_fleet, status
from tests.faults.scenarios.several import (
    HOSTS,
    more_tasks_end,
    others,
    several,
    under_load,
)
from tests.support.memory_folder import memory_folder

_TURNS = 12


@several("agents thrown from one gateway to the next")
async def thrown(seed: str) -> None:
    dice = random.Random(seed)
    async with new_fleet(seed, *HOSTS) as fleet, under_load(fleet):
        for turn in range(_TURNS):
            there = fleet.managers[turn % len(fleet.managers)]
            for other in others(fleet, there):
                other.proxy.refuses = True
                fleet.note(f"{other.proxy.cut()} connections to {other.node.name} cut")
            there.proxy.refuses = False
            await asyncio.sleep(dice.uniform(0, 1.5))
        for manager in fleet.managers:
            manager.proxy.refuses = False
        await fleet.online(*HOSTS)
        await more_tasks_end(fleet)


@several("an agent that dials two gateways at once")
async def at_two(seed: str) -> None:
    """What it said first at one gateway arrives at another one too, which has the newest session
    then: commands that are handed over there reach nobody, until the agent dials again."""
    dice = random.Random(seed)
    with memory_folder("faults-") as folder:
        fleet = Fleet(folder, seed, spread=True)
        async with _relays(fleet, dice) as relays:
            try:
                await fleet.start("h1")
                async with under_load(fleet):
                    for _ in range(_TURNS):
                        await _twice(fleet, dice, relays)
                    await more_tasks_end(fleet)
            finally:
                await fleet.close()


@contextlib.asynccontextmanager
async def _relays(fleet: Fleet, dice: random.Random) -> AsyncIterator[list[Relay]]:
    """A relay before the proxy of each manager; agents know only these."""
    async with contextlib.AsyncExitStack() as stack:
        relays = []
        for manager in fleet.managers:
            relay = Relay(dice, lambda proxy=manager.proxy: proxy.port, twice=0, swapped=0)  # type: ignore[misc]
            await relay.start()
            stack.push_async_callback(relay.stop)
            manager.settings["advertise"] = f'"{relay.address}"'
            relays.append(relay)
        fleet.dial = ",".join(relay.address for relay in relays)
        yield relays


async def _twice(fleet: Fleet, dice: random.Random, relays: list[Relay]) -> None:
    """The agent dials again, and what it says first is also said at another gateway."""
    before = {relay: len(relay.hellos) for relay in relays}
    fleet.note(f"{fleet.proxy.cut()} connections cut")

    def dialed() -> list[Relay]:
        return [relay for relay, count in before.items() if len(relay.hellos) > count]

    new = await fleet.wait("a Hello", dialed)
    at = relays.index(new[0])
    other = dice.choice(others(fleet, fleet.managers[at]))
    fleet.note(f"h1 dials {fleet.managers[at].node.name}, and says Hello at {other.node.name} too")
    await asyncio.sleep(dice.choice((0, dice.uniform(0, 1))))
    async with _said_again(new[0].hellos[-1], other.proxy.target):
        await asyncio.sleep(dice.uniform(0.1, 1.5))


@contextlib.asynccontextmanager
async def _said_again(hello: pb.AgentMessage, port: int) -> AsyncIterator[None]:
    """A stream on which this Hello is said, and nothing more; what is sent there is lost."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = pb_grpc.CommandServiceStub(channel).ConnectForCommands()

        async def listen() -> None:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call.write(hello)
                while await call.read() is not grpc.aio.EOF:
                    pass

        listening = asyncio.create_task(listen())
        try:
            yield
        finally:
            call.cancel()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@several("an agent's state copied to a second agent, at another gateway")
async def copied(seed: str) -> None:
    """The second one is refused there, because the first one is online elsewhere."""
    async with new_fleet(seed, "h1") as fleet:
        task_id = await fleet.run("h1", command(60, held=True))
        (row,) = fleet.rows("SELECT execution_id FROM command_hosts")
        await status(fleet, row[0], "running")
        other = others(fleet, fleet.gateway_of("h1"))[0]
        fleet.dial = other.proxy.address
        node = fleet.add_agent("copy")
        ignore = shutil.ignore_patterns("lock", "bell", "control", "managers_known")
        shutil.copytree(fleet.host("h1") / "state", fleet.host("copy") / "state", ignore=ignore)
        node.arguments[node.arguments.index("copy")] = "h1"
        fleet.note(f"a second agent starts on a copy of the state, at {other.node.name}")
        for one in others(fleet, other):
            one.proxy.refuses = True
        fleet.start_agent("copy")
        refusal = "another live agent has this identity"
        await fleet.wait("the refusal", node.text, lambda text: refusal in text.lower())
        assert "reason=duplicate_identity" in other.node.text(), fleet.explain()
        await fleet.kill(node)
        for one in fleet.managers:
            one.proxy.refuses = False
        fleet.let_go("h1")
        await fleet.ended_tasks([task_id])  # the copy holds it for ever
        check(fleet)
