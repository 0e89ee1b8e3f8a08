"""Commands that go into a dead connection: the network takes everything, and tells nobody."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psutil

from tests.faults.checks.checker import Allowed, check
from tests.faults.fleet.command import command
from tests.faults.fleet.fleet import Fleet
from tests.faults.fleet.processes import stopped
from tests.faults.scenarios.running import all_ended, new_fleet, only_execution, scenario, status
from tui_manager.domain.task_spec.task_spec import Offline

_SEND = "before.send_run_command"
_UNDELIVERABLE = Allowed(reasons={"undeliverable"})


@dataclass(frozen=True, slots=True)
class _Swallowed:
    """A host that has been away for longer than `lost_after`, with two commands.

    Attributes:
        runs: the execution that runs there, and is lost to silence.
        sent: the one that was handed to its session, and never arrived.
    """

    fleet: Fleet
    tasks: tuple[int, int]
    runs: str
    sent: str

    def network_is_back(self, *, gives_back: bool = False) -> None:
        """The network is there again; with what it had swallowed, or without."""
        self.fleet.note(f"the network is back, {'with' if gives_back else 'without'} what it held")
        if not gives_back:
            self.fleet.proxy.cut()
        self.fleet.proxy.pass_on()

    async def ends(self, *wanted: str) -> None:
        """Waits until what was sent is so, and all has ended; nothing ran twice."""
        await status(self.fleet, self.sent, *wanted)
        self.fleet.let_go("h1")
        await all_ended(self.fleet, *self.tasks)
        await status(self.fleet, self.runs, "completed", "")


@contextlib.asynccontextmanager
async def _swallowed(seed: str, offline: Offline) -> AsyncIterator[_Swallowed]:
    """The manager stands still while it sends, until nothing passes any more."""
    async with new_fleet(seed, "h1", lost_after='"1s"') as fleet:
        first = await fleet.run("h1", command(10, held=True))
        runs = only_execution(fleet)
        await status(fleet, runs, "running")
        manager = psutil.Process(fleet.manager.pid)
        fleet.manager.arm(_SEND, action="stop")
        starting = asyncio.create_task(fleet.run("h1", command(20), offline=offline))
        try:
            await fleet.wait("a command to be sent", lambda: stopped([manager]))
            fleet.note("nothing passes any more")
            fleet.proxy.swallow()
        finally:
            manager.resume()
            second = await starting
        query = "SELECT execution_id FROM command_hosts WHERE task_id = ? AND sent_at IS NOT NULL"
        ((sent,),) = fleet.rows(query, second)
        await status(fleet, runs, "failed", "agent_lost")  # what was sent is judged with it
        yield _Swallowed(fleet, (first, second), runs, sent)
        check(fleet, _UNDELIVERABLE)


async def _waits(seed: str, *, gives_back: bool) -> None:
    async with _swallowed(seed, Offline.WAIT) as swallowed:
        await status(swallowed.fleet, swallowed.sent, "pending", "")
        swallowed.network_is_back(gives_back=gives_back)
        await swallowed.ends("completed", "")
        late = "SELECT late FROM command_hosts WHERE execution_id = ?"
        assert not swallowed.fleet.number(late, swallowed.sent), swallowed.fleet.explain()


@scenario("a command swallowed by the network, sent again to a host that waits for it")
async def waits(seed: str) -> None:
    await _waits(seed, gives_back=False)


@scenario("a command swallowed by the network, which gives it back")
async def waits_and_is_given_back(seed: str) -> None:
    await _waits(seed, gives_back=True)


@scenario("a command swallowed by the network without a wait, never begun")
async def never_begun(seed: str) -> None:
    async with _swallowed(seed, Offline.FAIL) as swallowed:
        fleet = swallowed.fleet
        await status(fleet, swallowed.sent, "failed", "agent_lost")
        swallowed.network_is_back()
        await swallowed.ends("failed", "undeliverable")
        late = "SELECT late FROM command_hosts WHERE execution_id = ?"
        assert fleet.number(late, swallowed.sent) == 1, fleet.explain()


@scenario("a command swallowed by the network without a wait, given back and begun")
async def begun_late(seed: str) -> None:
    async with _swallowed(seed, Offline.FAIL) as swallowed:
        await status(swallowed.fleet, swallowed.sent, "failed", "agent_lost")
        swallowed.network_is_back(gives_back=True)
        await swallowed.ends("completed", "")


@scenario("a command swallowed by the network, canceled before the host is back")
async def canceled(seed: str) -> None:
    async with _swallowed(seed, Offline.WAIT) as swallowed:
        fleet = swallowed.fleet
        await fleet.cancel(swallowed.tasks[1])
        await status(fleet, swallowed.sent, "canceled", "cancel_unconfirmed")
        swallowed.network_is_back()
        await swallowed.ends("failed", "undeliverable")
