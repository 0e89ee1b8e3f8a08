"""From an accepted order to its end: turns, supervisors, cancels."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from tui_manager_agent.executions import result
from tui_manager_agent.executions.containment import remove_empty
from tui_manager_agent.executions.execution import Execution, State
from tui_manager_agent.executions.order import is_late
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.executions.recovery import Burials
from tui_manager_agent.executions.run_queue import Turns
from tui_manager_agent.executions.supervisors import LOOK, Supervisors
from tui_manager_agent.journal.disk_thread import Disk
from tui_manager_agent.journal.spool import Spool
from tui_manager_agent.journal.spool_quota import Shelf
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.cgroup import Place

CGROUPS = 60.0  # seconds between looks for cgroups in which nobody lives any more
_LOG = logging.getLogger(__name__)


class Runner:
    """Starts executions in turn and sees each to its end.

    Attributes:
        turns: who waits and who holds capacity.
    """

    def __init__(
        self,
        held: dict[str, Execution],
        outbox: Outbox,
        disk: Disk,
        shelf: Shelf,
        policy: PolicyFile,
        *,
        capacity: int,
        boot_id: str,
        place: Place | None = None,
    ) -> None:
        """Works on what `held` holds, which its owner fills and empties, as it does the shelf."""
        self._held = held
        self._outbox = outbox
        self._disk = disk
        self._shelf = shelf
        self._policy = policy
        self._boot_id = boot_id
        self._place = place
        self._supervisors = Supervisors(self._gone, place)
        self._wake = asyncio.Event()
        self._burials = Burials(self._supervisors, self.end, self._ended)
        self._to_cancel: dict[str, Execution] = {}  # whose supervisors could not be told yet
        self._serves = False
        self.turns = Turns(capacity)

    async def serve(self) -> None:
        """Works until it is cancelled; what runs then runs on."""
        self._serves = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._start_in_turn())
                tasks.create_task(self._burials.serve())
                tasks.create_task(self._look_around())
                tasks.create_task(self._remove_cgroups())
        finally:
            self._serves = False
            self._supervisors.close()

    async def begin(self, execution: Execution, accept: Callable[[], dict[str, str]]) -> None:
        """Journals an execution, and starts it with its turn: at once, if nobody is before it.

        Args:
            accept: journals it, and returns the order. Raises RefusedError, OSError.
        """
        at_once = self._serves and self.turns.take(execution.id)
        if at_once:
            await self._to_the_end(self._begin_at_once(execution, accept))
            return
        try:
            execution.order = await self._disk.do(accept)
        except (RefusedError, OSError) as error:
            await self._fail(execution, error, "write its journal")
        else:
            self.enqueue(execution)

    def enqueue(self, execution: Execution) -> None:
        self.turns.join(execution)
        self._wake.set()

    def restore(self, execution: Execution) -> None:
        """Takes up an execution that an earlier agent left."""
        execution.refresh()
        spool = execution.spool
        if execution.ended:
            self._shelf.put(execution)
            self._outbox.put(execution)
            return
        problem = ""
        try:
            execution.order = spool.order()
        except OSError as error:
            if spool.has(record.ACCEPTED):  # and nobody was told to carry it out
                problem = f"its order cannot be read: {error.strerror}"
        if execution.order:
            if execution.order["boot_id"] != self._boot_id and "start_before" in execution.order:
                execution.order["start_before"] = "1"  # of an earlier boot: long ago
            self.enqueue(execution)
        else:
            if execution.state is State.ACCEPTED:
                execution.state = State.STARTING
            self.turns.hold(execution.id)
            if problem:
                self._burials.put(execution, problem)
            else:
                self._burials.take_up(execution)

    def look_at(self, execution_id: str) -> None:
        """A supervisor rang."""
        execution = self._held.get(execution_id)
        if execution is None or execution.ended or execution.state is State.ACCEPTED:
            return
        execution.refresh()
        if execution.ended:
            self._ended(execution)
        else:
            self._outbox.put(execution)

    async def kill(self, execution: Execution) -> None:
        """Cancels, at whatever stage. What a supervisor cannot be told now it is told later."""
        if execution.state is State.ACCEPTED:
            await self.end(execution, "canceled", detail="canceled before it started")
        elif not execution.ended:
            _LOG.info("canceling: execution_id=%s", execution.id)
            await self._ask_to_cancel(execution)

    async def end(
        self, execution: Execution, status: str, reason: str = "", detail: str = "", **more: object
    ) -> None:
        """Ends an execution that no supervisor will end. A full disk keeps its result in memory
        only: after a restart it was interrupted, and does not run."""
        if execution.ended:
            return
        execution.state = State.ENDED
        execution.order = {}
        self.turns.leave(execution.id)
        fields = result.of_the_agent(self._boot_id, status, reason, detail, **more)
        try:
            await self._disk.do(execution.spool.end, fields)
        except OSError as error:
            _LOG.error("result not on disk: execution_id=%s error=%s", execution.id, error)
        execution.result = {key: str(value) for key, value in fields.items()}
        execution.refresh()
        self._ended(execution)

    async def _ask_to_cancel(self, execution: Execution) -> None:
        try:
            await self._disk.do(execution.spool.ask_to_cancel)
        except OSError as error:
            _LOG.error("not canceled, again later: execution_id=%s error=%s", execution.id, error)
            if not execution.ended:
                self._to_cancel[execution.id] = execution
        else:
            self._to_cancel.pop(execution.id, None)

    def _ended(self, execution: Execution) -> None:
        self._to_cancel.pop(execution.id, None)
        self.turns.leave(execution.id)
        self._wake.set()
        self._shelf.put(execution)
        self._outbox.put(execution)
        outcome = execution.result
        _LOG.info(
            "ended: execution_id=%s status=%s reason=%s",
            execution.id,
            outcome["status"],
            outcome["reason"],
        )

    async def _start_in_turn(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.turns.next_expiry()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._end_expired()
            while (execution := self.turns.next()) is not None:
                await self._to_the_end(self._start(execution))
                if execution.state is State.ACCEPTED:  # it waits for the state folder
                    break
                await self._end_expired()

    async def _to_the_end(self, starting: Coroutine[None, None, None]) -> None:
        """Whoever is `starting` is handed over, or given back, also when the agent is asked to stop
        just then. It waits for nobody who does not take orders."""
        task = asyncio.ensure_future(starting)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._supervisors.close()
            await task
            raise

    async def _end_expired(self) -> None:
        while (execution := self.turns.expired()) is not None:
            detail = "it waited on the host past the time by which it had to start"
            await self.end(execution, "failed", "undeliverable", detail)

    async def _start(self, execution: Execution) -> None:
        execution.state = State.STARTING
        order, execution.order = execution.order, {}
        try:
            await self._disk.do(self._release, execution.spool, order)
        except (RefusedError, OSError) as error:
            if _is_out_of_reach(execution.spool):
                self._wait_for_folder(execution, order)
            else:
                await self._fail(execution, error, "start a supervisor")
        else:
            await self._launch(execution)

    def _wait_for_folder(self, execution: Execution, order: dict[str, str]) -> None:
        """Its order waits in a state folder that was moved away: it has its turn later."""
        _LOG.error("not started, its folder is away: execution_id=%s", execution.id)
        execution.state, execution.order = State.ACCEPTED, order
        self.turns.leave(execution.id)
        self.turns.join(execution)
        asyncio.get_running_loop().call_later(LOOK, self._wake.set)

    def _release(self, spool: Spool, order: dict[str, str]) -> None:
        """Hands an order out, unless the owner has thought better of it while it waited."""
        self._policy.admit(order)
        spool.starting()

    async def _begin_at_once(
        self, execution: Execution, accept: Callable[[], dict[str, str]]
    ) -> None:
        """The same as waiting for one's turn without anybody before, in one trip to the disk."""
        try:
            order = await self._disk.do(_accept_and_release, execution.spool, accept)
        except (RefusedError, OSError) as error:
            await self._fail(execution, error, "write its journal")
            return
        if order:
            self.turns.leave(execution.id)
            execution.order = order
            self.enqueue(execution)
        else:
            execution.state = State.STARTING
            await self._launch(execution)

    async def _launch(self, execution: Execution) -> None:
        try:
            if await self._supervisors.start(execution.id, execution.spool):
                _LOG.info("starting: execution_id=%s", execution.id)
            else:  # this agent stops; the next one starts it
                await self._disk.do(execution.spool.give_back)
        except OSError as error:
            await self._fail(execution, error, "start a supervisor")

    async def _fail(self, execution: Execution, error: RefusedError | OSError, what: str) -> None:
        if isinstance(error, RefusedError):
            await self.end(execution, "failed", error.reason, str(error))
        else:
            detail = f"the agent cannot {what}: {error.strerror}"
            await self.end(execution, "failed", "spawn_failed", detail)

    def _gone(self, execution_id: str, problem: str) -> None:
        execution = self._held.get(execution_id)
        if execution is None or execution.ended:
            return
        self.look_at(execution_id)
        if not execution.ended:
            self._burials.put(execution, problem)

    async def _look_around(self) -> None:
        while True:
            await self._supervisors.some.wait()
            await asyncio.sleep(LOOK)
            self._supervisors.look()
            for execution in list(self._held.values()):
                self.look_at(execution.id)
            for execution in list(self._to_cancel.values()):
                if not execution.ended:
                    await self._ask_to_cancel(execution)

    async def _remove_cgroups(self) -> None:
        """A supervisor removes its command's cgroup, unless something in the background lives on
        there, or the supervisor is dead."""
        while self._place is not None:
            working = [id_ for id_, execution in self._held.items() if not execution.ended]
            await self._disk.do(remove_empty, self._place, working)
            await asyncio.sleep(CGROUPS)


def _accept_and_release(spool: Spool, accept: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Returns an order that has come too late, and waits for that to be said; else nothing."""
    order = accept()
    if is_late(order):
        return order
    spool.starting()
    return {}


def _is_out_of_reach(spool: Spool) -> bool:
    try:
        spool.check_reach()
    except OSError:
        return True
    return False
