"""What scenarios have in common: how one is registered, and what they wait for."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.faults.fleet.fleet import Fleet, fleet_of
from tests.support.memory_folder import memory_folder

Scenario = Callable[[str], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    """Registers a run under what the table of `make faults` calls it."""

    def register(run: Scenario) -> Scenario:
        SCENARIOS[name] = run
        return run

    return register


@contextlib.asynccontextmanager
async def new_fleet(seed: str, *names: str, **settings: str) -> AsyncIterator[Fleet]:
    """A fleet in a folder of its own; the path is short, because sockets lie in it."""
    with memory_folder("faults-") as folder:
        async with fleet_of(folder, seed, *names, settings=settings) as fleet:
            yield fleet


async def all_ended(fleet: Fleet, *task_ids: int) -> None:
    """Waits until these tasks have ended, and no agent holds anything."""
    await fleet.ended_tasks(task_ids)
    await fleet.settled()


async def stored(fleet: Fleet, size: int) -> None:
    """Waits until the database holds so much output."""
    query = "SELECT sum(stdout_bytes) FROM command_hosts"
    await fleet.wait(f"{size} bytes", lambda: fleet.number(query), lambda seen: seen >= size)


async def status(fleet: Fleet, execution: str, *wanted: str) -> None:
    """Waits until a command host has this status and reason."""
    query = "SELECT status, reason FROM command_hosts WHERE execution_id = ?"
    await fleet.wait(
        f"{execution} to be {wanted}",
        lambda: tuple(fleet.rows(query, execution)[0]),
        lambda seen: seen[: len(wanted)] == wanted,
    )


def only_execution(fleet: Fleet) -> str:
    """The id of the one execution that there is."""
    (row,) = fleet.rows("SELECT execution_id FROM command_hosts")
    return str(row[0])
