"""A gateway that dies, stands still, or is cut off from one side or the other."""

import signal

from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.manager_of_fleet import ManagerOfFleet
from tests.faults.scenarios.running import new_fleet
from tests.faults.scenarios.several import (
    HOSTS,
    another_leads,
    more_tasks_end,
    others,
    says,
    says_no_more,
    several,
    under_load,
)

_NOT_HEARD = "was not heard"


async def _left(fleet: Fleet, gateway: ManagerOfFleet) -> None:
    """Waits until all hosts are online at other gateways."""
    query = "SELECT name FROM hosts WHERE online"

    def look() -> set[str]:
        online = {row["name"] for row in fleet.rows(query)}
        return {name for name in online if fleet.gateway_of(name) is not gateway}

    await fleet.wait(
        f"hosts to leave {gateway.node.name}", look, lambda seen: seen >= set(fleet.agents)
    )
    fleet.note("all hosts are elsewhere")


async def _is_missed(fleet: Fleet, gateway: ManagerOfFleet) -> None:
    """The others say that it is away, and tasks end without it."""
    fleet.asked = others(fleet, gateway)
    for other in fleet.asked:
        await says(fleet, other, _NOT_HEARD, gateway.proxy.address)
    await _left(fleet, gateway)
    await more_tasks_end(fleet)


async def _is_back(fleet: Fleet, gateway: ManagerOfFleet) -> None:
    """Nobody says any more that it is away, and it does its part."""
    for manager in fleet.managers:
        await says_no_more(fleet, manager, _NOT_HEARD)
    fleet.asked = list(fleet.managers)
    await fleet.gather_agents(gateway)
    await more_tasks_end(fleet)


@several("a gateway killed, and started again")
async def killed(seed: str) -> None:
    async with new_fleet(seed, *HOSTS) as fleet:
        gateway = fleet.managers[1]
        await fleet.gather_agents(gateway)
        async with under_load(fleet):
            await fleet.kill(gateway.node)
            await _is_missed(fleet, gateway)
            await fleet.start_manager(gateway.node)
            await _is_back(fleet, gateway)


@several("the leader killed, which has no host")
async def leader_killed(seed: str) -> None:
    async with new_fleet(seed, *HOSTS) as fleet:
        leader = fleet.leader()
        await fleet.gather_agents(others(fleet, leader)[0])
        async with under_load(fleet):
            await fleet.kill(leader.node)
            fleet.asked = others(fleet, leader)
            await another_leads(fleet, leader)
            await _is_missed(fleet, leader)
            await fleet.start_manager(leader.node)
            await _is_back(fleet, leader)


async def _stopped(seed: str, *, leads: bool) -> None:
    async with new_fleet(seed, *HOSTS) as fleet:
        leader = fleet.leader()
        gateway = leader if leads else others(fleet, leader)[0]
        await fleet.gather_agents(gateway)
        async with under_load(fleet):
            await more_tasks_end(fleet)
            fleet.note(f"SIGSTOP {gateway.node.name}")
            gateway.node.send(signal.SIGSTOP)
            if leads:
                await another_leads(fleet, gateway)
            await _is_missed(fleet, gateway)
            fleet.note(f"SIGCONT {gateway.node.name}")
            gateway.node.send(signal.SIGCONT)
            await _is_back(fleet, gateway)


@several("a gateway stopped for longer than the lease, and continued")
async def stopped(seed: str) -> None:
    await _stopped(seed, leads=False)


@several("the leader stopped for longer than its lease, and continued")
async def leader_stopped(seed: str) -> None:
    await _stopped(seed, leads=True)


async def _without_database(seed: str, *, silently: bool, leads: bool) -> None:
    async with new_fleet(seed, *HOSTS) as fleet:
        leader = fleet.leader()
        gateway = leader if leads else others(fleet, leader)[0]
        await fleet.gather_agents(gateway)
        async with under_load(fleet):
            await more_tasks_end(fleet)
            fleet.note(f"{gateway.node.name} does not reach the database, {silently=}")
            gateway.cut_off_from_database(silently=silently)
            await says(fleet, gateway, "database")
            if leads:
                await another_leads(fleet, gateway)
            await _is_missed(fleet, gateway)
            fleet.note(f"{gateway.node.name} reaches the database again")
            gateway.let_to_database()
            await says_no_more(fleet, gateway, "the database")
            await _is_back(fleet, gateway)


@several("a gateway cut off from the database, not from its agents")
async def without_database(seed: str) -> None:
    await _without_database(seed, silently=False, leads=False)


@several("a gateway whose connections to the database deliver nothing")
async def without_database_silently(seed: str) -> None:
    await _without_database(seed, silently=True, leads=False)


@several("the leader cut off from the database, not from its agents")
async def leader_without_database(seed: str) -> None:
    await _without_database(seed, silently=False, leads=True)


@several("the leader whose connections to the database deliver nothing")
async def leader_without_database_silently(seed: str) -> None:
    await _without_database(seed, silently=True, leads=True)


@several("a gateway cut off from its agents, not from the database")
async def without_agents(seed: str) -> None:
    async with new_fleet(seed, *HOSTS) as fleet:
        gateway = fleet.managers[1]
        async with under_load(fleet):
            for silently in (False, True):
                await fleet.gather_agents(gateway)
                fleet.note(f"agents do not reach {gateway.node.name}, {silently=}")
                if silently:
                    gateway.proxy.swallow()
                else:
                    gateway.proxy.refuses = True
                    gateway.proxy.cut()
                await _left(fleet, gateway)
                await more_tasks_end(fleet)
                gateway.proxy.refuses = False
                gateway.proxy.pass_on()
