"""Executions that an earlier agent left, and those that lost their supervisor."""

import asyncio
import dataclasses
import logging
import os
import time

from tui_manager_agent.executions.execution import Execution, State
from tui_manager_agent.executions.held_executions import HeldExecutions
from tui_manager_agent.executions.run_queue import RunQueue
from tui_manager_agent.executions.supervisors import CHECK_EVERY, Supervisors
from tui_manager_agent.executions.transfers.transfers import Transfers
from tui_manager_agent.journal.order_and_result import Order, Owner, Result
from tui_manager_agent.journal.read_failures import ReadFailures
from tui_manager_agent.journal.transfer_records import UpdateOrder
from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.processes.cgroup import Cgroup, CgroupRoot
from tui_manager_agent.supervisor.processes.killing import EMPTY_CHECKS, CommandProcesses

_KILL_WITHIN = 10.0  # seconds
_PAUSE = 0.02  # seconds between checks: no event tells the exit of these processes
_SURVIVORS = 20  # named in a result
_LOG = logging.getLogger(__name__)


class Recovery:
    """Finds out what became of an execution, and ends it if no supervisor will.

    What cannot be done now is done later.

    Attributes:
        supervisors: when one exits, it is found out here what became of its execution.
    """

    def __init__(
        self,
        held: HeldExecutions,
        queue: RunQueue,
        transfers: Transfers,
        *,
        boot_id: str,
        cgroup_root: CgroupRoot | None,
    ) -> None:
        self._held = held
        self._queue = queue
        self._transfers = transfers
        self._boot_id = boot_id
        self.supervisors = Supervisors(self._supervisor_exited, cgroup_root)
        self._lost: asyncio.Queue[tuple[Execution, str]] = asyncio.Queue()
        self._read_failures = ReadFailures()  # by execution

    async def serve(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._end_lost())
            tasks.create_task(self._check_regularly())

    def restore(self, execution: Execution) -> None:
        """Continues an execution that an earlier agent left."""
        execution.read_folder()
        if execution.ended:
            self._held.keep(execution)
            return
        order, problem = self._read_order(execution)
        if order is not None:
            if order.start_before and order.boot_id != self._boot_id:
                order = dataclasses.replace(order, start_before=1)  # of an earlier boot: long ago
            execution.order = order
            execution.is_update = isinstance(order.transfer, UpdateOrder)
            self._held.count_contents(execution, order.contents_size)
            self._queue.add(execution)
            return
        if execution.state is State.ACCEPTED:
            execution.state = State.STARTING
        self._queue.reserve(execution.id)
        try:
            if not problem and self._transfers.restore(execution):
                return
        except (OSError, ValueError) as error:
            problem = _unreadable(error)
        if problem or not self._is_supervised(execution):
            self._lost.put_nowait((execution, problem))

    def hold(self, execution: Execution) -> None:
        """Treats an update of this agent as running until its result is known."""
        execution.read_folder()
        if execution.ended:
            self._held.keep(execution)
            return
        self._queue.reserve(execution.id)
        execution.is_update = True
        execution.begin_transfer(execution.spool.transfer_started(self._boot_id))

    def _read_order(self, execution: Execution) -> tuple[Order | None, str]:
        """The order that waits, or else why it cannot be read."""
        try:
            return execution.spool.order(), ""
        except (OSError, ValueError) as error:
            if not execution.spool.has(record.ACCEPTED):  # a supervisor may have it
                return None, ""
            return None, _unreadable(error)

    def _is_supervised(self, execution: Execution) -> bool:
        """Whether its supervisor is alive, which is then watched."""
        try:
            return self.supervisors.adopt(execution.id, execution.spool)
        except OSError as error:  # `_end_lost` checks again
            _LOG.error("supervisor not checked: execution_id=%s error=%s", execution.id, error)
            return False

    def _supervisor_exited(self, execution_id: str, problem: str) -> None:
        execution = self._held.find(execution_id)
        if execution is None:
            return
        self._held.refresh(execution)
        if not execution.ended:
            self._lost.put_nowait((execution, problem))

    async def _check_regularly(self) -> None:
        """Finds changes whose notification was lost."""
        while True:
            await self.supervisors.is_any.wait()
            await asyncio.sleep(CHECK_EVERY)
            self.supervisors.check()
            for execution in self._held:
                self._held.refresh(execution)

    async def _end_lost(self) -> None:
        while True:
            execution, problem = await self._lost.get()
            if execution.ended:
                continue
            try:
                if self._has_supervisor(execution):
                    self._read_failures.forget(execution.id)
                else:
                    await self._end(execution, problem)
            except OSError as error:
                _LOG.error("not ended, again later: execution_id=%s error=%s", execution.id, error)
                again = (execution, problem)
                asyncio.get_running_loop().call_later(CHECK_EVERY, self._lost.put_nowait, again)

    def _has_supervisor(self, execution: Execution) -> bool:
        """Whether a supervisor has it after all. If not, none ever will. Raises OSError."""
        spool = execution.spool
        unclaimed = not spool.has(record.CLAIM) and spool.prevent_start()
        # A supervisor that the earlier agent started may have claimed it just now.
        return not unclaimed and self.supervisors.adopt(execution.id, spool)

    async def _end(self, execution: Execution, problem: str) -> None:
        """Ends it with the result that its supervisor left, or as interrupted.

        Raises OSError. Then nothing is reported, and it may be done again.
        """
        unreadable = self._recover_result(execution)
        if self._held.check_ended(execution):
            return
        if problem and execution.spool.has(record.TRANSFER):
            result = Result(status="failed", reason="transfer_failed", detail=problem)
        elif problem:
            detail = f"the agent cannot start a supervisor: {problem}"
            result = Result(status="failed", reason="spawn_failed", detail=detail)
        else:
            result = await self._interrupted(execution, unreadable)
        await self._held.end(execution, result)

    def _recover_result(self, execution: Execution) -> str:
        """Finds the result that there may be. Returns why none can be read, if that is permanent.

        Raises OSError as long as it may be read later.
        """
        try:
            execution.spool.recover_result()
        except OSError as error:
            is_new = self._read_failures.note(execution.id, error)
            if is_new or not self._read_failures.is_permanent(execution.id):
                raise
            return f"what it left cannot be read: {error.strerror}"
        self._read_failures.forget(execution.id)
        return ""

    async def _interrupted(self, execution: Execution, unreadable: str) -> Result:
        """The result of an execution whose supervisor is dead. Kills what is left of it."""
        spool = execution.spool
        details = [unreadable or "its supervisor died under it, or the host did"]
        killed, survivors = 0, list[str]()
        if spool.is_copy():
            details = ["it runs under another agent, of whose state folder this is a copy"]
        else:
            kill = kill_remaining_processes
            killed, survivors = await asyncio.to_thread(kill, execution.id, spool.owner())
        if killed:
            details.append(f"{killed} of its processes were killed")
        if survivors:
            named = ", ".join(survivors[:_SURVIVORS])
            details.append(f"still alive, out of the agent's reach: {named}")
        if error := spool.supervisor_error():
            details.append(f"it said: {error}")
        return Result(
            status="failed",
            reason="interrupted",
            detail="; ".join(details),
            stored=execution.sizes(),
            duration=spool.run_time(self._boot_id),
            kill_incomplete=bool(survivors),
        )


def _unreadable(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else error
    return f"its order cannot be read: {reason}"


def kill_remaining_processes(execution_id: str, owner: Owner) -> tuple[int, list[str]]:
    """Kills the processes of a command whose supervisor is dead.

    Returns how many were killed, and who survives.
    """
    has_cgroup = owner.cgroup and os.path.isdir(owner.cgroup)
    cgroup = Cgroup(owner.cgroup) if has_cgroup else None
    targets = CommandProcesses(execution_id, user=owner.uid, cgroup=cgroup)
    killed: set[int] = set()
    empty_checks = 0
    give_up_at = time.monotonic() + _KILL_WITHIN
    while empty_checks < EMPTY_CHECKS and time.monotonic() < give_up_at:
        found = targets.find()
        forbidden = targets.kill(found)
        killed.update(set(found) - forbidden)
        if found and len(forbidden) == len(found):
            break
        empty_checks = 0 if found or not targets.is_gone() else empty_checks + 1
        time.sleep(_PAUSE)
    survivors = targets.survivors()
    if cgroup is not None:
        cgroup.remove()
    return len(killed), survivors
