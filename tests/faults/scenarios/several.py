"""What the scenarios of several managers have in common."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.manager_of_fleet import ManagerOfFleet
from tests.faults.fleet.watching import GIVE_UP
from tests.faults.scenarios.running import Scenario, scenario
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, RolloutSpec
from tui_manager.domain.task_spec.task_spec import Offline

NEED_SEVERAL: set[str] = set()  # names of scenarios
HOSTS = ("h1", "h2", "h3")
IN_BATCHES = RolloutSpec(batches="1,rest", delay=timedelta(seconds=0.2))
_BETWEEN_TASKS = 1.0  # seconds
_AT_ONCE = 5  # tasks that have not ended
_UNENDED = "SELECT count(*) FROM tasks WHERE status = 'running'"
_LEADERS = "SELECT epoch FROM leader"


def several(name: str) -> Callable[[Scenario], Scenario]:
    """Registers a run that needs several managers."""
    NEED_SEVERAL.add(name)
    return scenario(name)


@contextlib.asynccontextmanager
async def under_load(fleet: Fleet, allowed: Allowed | None = None) -> AsyncIterator[None]:
    """Operators start tasks on all hosts, at any manager, one after the other, until the block is
    left. Then all of them end, and the fleet is checked."""
    started = 0
    left = asyncio.Event()

    def unended() -> int:
        return fleet.number(_UNENDED)

    async def start() -> None:
        nonlocal started
        while not left.is_set():
            rollout = IN_BATCHES if started % 2 else ALL_AT_ONCE
            steps = (command(20, step=0.3), command(5, step=0.02, brings=True))
            await fleet.run("@all", *steps, offline=Offline.WAIT, rollout=rollout)
            started += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), _BETWEEN_TASKS)
            await fleet.wait(
                "a task to end", unended, lambda count: left.is_set() or count < _AT_ONCE
            )

    starting = asyncio.create_task(start())
    try:
        await fleet.wait("the first task", lambda: started or starting.done())
        yield
        left.set()
        await starting  # to cancel it could leave a task that a manager starts only later
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    fleet.note(f"{started} tasks were started")
    await fleet.wait("all tasks to end", unended, lambda count: not count)
    await fleet.settled()
    check(fleet, allowed)


async def more_tasks_end(fleet: Fleet, count: int = 2) -> None:
    """Waits until so many tasks more have ended as had when this is called."""
    query = "SELECT count(*) FROM tasks WHERE status IN ('completed', 'failed', 'canceled')"
    before = fleet.number(query)
    await fleet.wait(
        f"{count} tasks more to end",
        lambda: fleet.number(query) - before,
        lambda ended: ended >= count,
    )


def epoch(fleet: Fleet) -> int:
    """Counts the leaders."""
    return fleet.number(_LEADERS)


async def another_leads(fleet: Fleet, before: ManagerOfFleet) -> ManagerOfFleet:
    """Waits until another manager leads; returns that."""

    def other(leader: ManagerOfFleet | None) -> bool:
        return leader not in (None, before)

    leader = await fleet.wait("another leader", fleet.leader_by_lease, other)
    assert leader is not None
    fleet.note(f"{leader.node.name} leads")
    return leader


async def says(fleet: Fleet, manager: ManagerOfFleet, *words: str) -> None:
    """Waits until an operator who asks this manager reads all these words in one sentence."""
    await _attention(fleet, manager, words, wanted=True)


async def says_no_more(fleet: Fleet, manager: ManagerOfFleet, *words: str) -> None:
    """Waits until there is no such sentence."""
    await _attention(fleet, manager, words, wanted=False)


async def _attention(
    fleet: Fleet, manager: ManagerOfFleet, words: tuple[str, ...], *, wanted: bool
) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + GIVE_UP
    while True:
        seen = await fleet.said_by(manager)
        found = any(all(word in sentence for word in words) for sentence in seen)
        if found is wanted:
            return
        if loop.time() > give_up_at:
            break
        await asyncio.sleep(0.1)
    verb = "say" if wanted else "say no more"
    raise AssertionError(f"{manager.node.name} does not {verb} {words}: {seen}\n{fleet.explain()}")


def others(fleet: Fleet, *but: ManagerOfFleet) -> list[ManagerOfFleet]:
    """The managers but these."""
    return [manager for manager in fleet.managers if manager not in but]
