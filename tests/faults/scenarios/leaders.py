"""Leaders that stand still in the middle of what they do, that believe too long that they lead, or
whose clock is wrong."""

import asyncio
import itertools
import random
import signal

from tests.faults.checks.checker import check
from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import all_ended, new_fleet
from tests.faults.scenarios.schedules import DUE_TASKS, add_schedule, compare_due_times
from tests.faults.scenarios.several import (
    HOSTS,
    another_leads,
    epoch,
    more_tasks_end,
    others,
    says,
    several,
    under_load,
)
from tests.support.memory_folder import memory_folder
from tui_manager.domain.schedules.schedule import Overlap

_YEAR = 365 * 86_400  # seconds
_IN_A_TRANSACTION = (("statement", 1), ("statement", 4), ("before.commit", 2), ("after.commit", 1))


@several("the leader stopped in the middle of a transaction, and continued")
async def stopped_in_a_transaction(seed: str) -> None:
    """Its lock does not keep another one from leading, and what it had begun is undone."""
    async with new_fleet(seed, *HOSTS) as fleet, under_load(fleet):
        for point, count in _IN_A_TRANSACTION:
            leader = fleet.leader()
            fleet.note(f"{leader.node.name} is stopped at {point}, time {count}")
            hits = len(leader.node.hits)
            leader.node.arm(point, count, "stop")
            await fleet.wait(
                f"{point} to be reached",
                lambda node=leader.node: len(node.hits),  # type: ignore[misc]
                lambda seen, hits=hits: seen > hits,  # type: ignore[misc]
            )
            fleet.asked = others(fleet, leader)
            await another_leads(fleet, leader)
            await more_tasks_end(fleet)
            fleet.note(f"SIGCONT {leader.node.name}")
            leader.node.send(signal.SIGCONT)
            fleet.asked = list(fleet.managers)
            await more_tasks_end(fleet)


@several("leaders that stand still by turns, each for longer than the lease")
async def by_turns(seed: str) -> None:
    """One that is continued believes that it leads, and the next one leads already. No due time of
    a schedule has two tasks."""
    async with new_fleet(seed, *HOSTS) as fleet:
        for overlap in Overlap:
            await add_schedule(fleet, overlap)
        async with under_load(fleet):
            before = epoch(fleet)
            for _ in range(3):
                leader = fleet.leader()
                fleet.note(f"SIGSTOP {leader.node.name}")
                leader.node.send(signal.SIGSTOP)
                fleet.asked = others(fleet, leader)
                await another_leads(fleet, leader)
                fleet.note(f"SIGCONT {leader.node.name}")
                leader.node.send(signal.SIGCONT)
                fleet.asked = list(fleet.managers)
            assert epoch(fleet) >= before + 3, fleet.explain()
            await more_tasks_end(fleet)
            for overlap in Overlap:
                await fleet.ask(lambda operator, name=overlap: operator.pause_schedule(name))  # type: ignore[misc]
        await all_ended(fleet, *(row["id"] for row in fleet.rows(DUE_TASKS)))
        for overlap in Overlap:
            compare_due_times(fleet, overlap)


@several("managers ended with SIGTERM by turns, each time the leader")
async def ended_by_turns(seed: str) -> None:
    """Who ends in order gives the lease back: nobody waits until it is over."""
    dice = random.Random(seed)
    async with new_fleet(seed, *HOSTS) as fleet, under_load(fleet):
        for _ in range(4):
            leader = fleet.leader()
            fleet.asked = others(fleet, leader)
            assert await fleet.terminate(leader.node) == 0, fleet.explain()
            await another_leads(fleet, leader)
            await asyncio.sleep(dice.uniform(0, 1))
            await fleet.start_manager(leader.node)
            fleet.asked = list(fleet.managers)
        await more_tasks_end(fleet)


async def _with_clock(seed: str, *, leads: bool, shift: int) -> None:
    with memory_folder("faults-") as folder:
        fleet = Fleet(folder, seed, {"lost_after": '"20s"'})
        wrong = fleet.managers[0 if leads else 1]
        wrong.node.environment["FAULTS_SHIFT"] = str(shift)
        try:
            await fleet.start(*HOSTS)
            fleet.note(f"the clock of {wrong.node.name} is {shift} s off")
            assert (fleet.leader() is wrong) is leads, fleet.explain()
            await says(fleet, wrong, "The clock of this machine is")
            await fleet.gather_agents(wrong)
            async with under_load(fleet):
                await more_tasks_end(fleet)
                await fleet.kill(wrong.node)
                fleet.asked = others(fleet, wrong)
                await more_tasks_end(fleet)
                await fleet.start_manager(wrong.node)
                await fleet.gather_agents(wrong)
                fleet.asked = list(fleet.managers)
                await more_tasks_end(fleet)
            _compare_times(fleet)
            check(fleet)
        finally:
            await fleet.close()


_TIMES = """
SELECT t.created_at, ch.sent_at, ch.started_at, ch.finished_at, t.finished_at AS task_finished_at,
    (extract(epoch FROM now()) * 1000000)::bigint AS now
FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id WHERE ch.finished_at IS NOT NULL
"""
_INACCURATE = 2_000_000  # microseconds; the clock of the host, rounding
_ALL = 600_000_000  # microseconds; longer than the scenario


def _compare_times(fleet: Fleet) -> None:
    """All times are of the same clock: that of the database."""
    for row in fleet.rows(_TIMES):
        names = ("created_at", "sent_at", "started_at", "finished_at", "task_finished_at", "now")
        times = [row[name] for name in names if row[name] is not None]
        told = f"{dict(zip(names, times, strict=False))}\n{fleet.explain()}"
        assert times[-1] - times[0] < _ALL, told
        for before, after in itertools.pairwise(times):
            assert after - before > -_INACCURATE, told


@several("the clock of a gateway a year ahead")
async def gateway_ahead(seed: str) -> None:
    await _with_clock(seed, leads=False, shift=_YEAR)


@several("the clock of the leader a year behind")
async def leader_behind(seed: str) -> None:
    await _with_clock(seed, leads=True, shift=-_YEAR)
