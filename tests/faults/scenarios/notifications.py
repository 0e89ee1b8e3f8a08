"""Managers that cannot tell each other of changes: a poll finds them later, and nothing is lost."""

import contextlib

import psutil

from tests.faults.fleet.fleet import Fleet
from tests.faults.long_run.faults_of_managers import LISTENING
from tests.faults.scenarios.running import new_fleet
from tests.faults.scenarios.several import (
    HOSTS,
    more_tasks_end,
    says,
    says_no_more,
    several,
    under_load,
)

_END = "SELECT pg_terminate_backend(?::int)"
_CANNOT_TELL = "Managers cannot tell each other of changes"


def _listening(fleet: Fleet) -> set[int]:
    """The processes of the server with which managers listen."""
    return {row["pid"] for row in fleet.rows(LISTENING)}


@several("connections for notifications that deliver nothing, without a sign")
async def silent(seed: str) -> None:
    """Each manager notices it, because it does not hear itself, and connects anew."""
    async with new_fleet(seed, *HOSTS) as fleet:
        await fleet.gather_agents(fleet.managers[1])
        async with under_load(fleet):
            found = await fleet.wait(
                "all to listen",
                lambda: _listening(fleet),
                lambda seen: len(seen) == len(fleet.managers),
            )
            fleet.note("what listens stands still")
            processes = [psutil.Process(pid) for pid in found]
            for process in processes:
                process.suspend()
            try:
                await more_tasks_end(fleet)
                await fleet.wait(
                    "all to listen anew",
                    lambda: _listening(fleet) - found,
                    lambda seen: len(seen) == len(fleet.managers),
                )
            finally:
                for process in processes:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.resume()
            await more_tasks_end(fleet)


@several("notifications that the database does not pass on")
async def not_passed_on(seed: str) -> None:
    async with new_fleet(seed, *HOSTS) as fleet:
        await fleet.gather_agents(fleet.managers[1])
        async with under_load(fleet):
            fleet.note("nobody can listen")
            for manager in fleet.managers:
                assert manager.door is not None
                manager.door.swallow(b"LISTEN ")
            for pid in _listening(fleet):
                fleet.rows(_END, pid)
            for manager in fleet.managers:
                await says(fleet, manager, _CANNOT_TELL)
            await more_tasks_end(fleet)
            fleet.note("all can listen again")
            for manager in fleet.managers:
                manager.let_to_database()
            for manager in fleet.managers:
                await says_no_more(fleet, manager, _CANNOT_TELL)
            await more_tasks_end(fleet)
