"""Executions whose supervisors are gone, or were never there: how they are ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.executions.leftovers import kill_leftovers
from tui_manager_agent.executions.supervisors import LOOK, Supervisors
from tui_manager_agent.journal.read_failures import Unreadable
from tui_manager_agent.supervisor import record

_LOG = logging.getLogger(__name__)


class Burials:
    """Ends executions that no supervisor will end. What cannot be done now is done later."""

    def __init__(
        self,
        supervisors: Supervisors,
        end: Callable[..., Awaitable[None]],
        ended: Callable[[Execution], None],
    ) -> None:
        """
        Args:
            end: ends an execution with a status, a reason, a detail and more fields of its result.
            ended: is told of one that has a result after all.
        """
        self._supervisors = supervisors
        self._end = end
        self._ended = ended
        self._dead: asyncio.Queue[tuple[Execution, str]] = asyncio.Queue()
        self._unreadable = Unreadable()  # executions

    def put(self, execution: Execution, problem: str = "") -> None:
        """Its supervisor is gone; `problem` says why there was none."""
        self._dead.put_nowait((execution, problem))

    def take_up(self, execution: Execution) -> None:
        """What an earlier agent left: its supervisor is watched if it is alive."""
        try:
            alive = self._supervisors.adopt(execution.id, execution.spool)
        except OSError as error:  # it is looked at again before it is buried
            _LOG.error("not looked at: execution_id=%s error=%s", execution.id, error)
            alive = False
        if not alive:
            self.put(execution)

    async def serve(self) -> None:
        """Works until it is cancelled."""
        while True:
            execution, problem = await self._dead.get()
            if execution.ended:
                continue
            try:
                if self._is_alive(execution):
                    self._unreadable.forget(execution.id)
                else:
                    await self._bury(execution, problem, self._settle(execution))
            except OSError as error:
                _LOG.error("not buried, again later: execution_id=%s error=%s", execution.id, error)
                loop = asyncio.get_running_loop()
                loop.call_later(LOOK, self.put, execution, problem)

    def _is_alive(self, execution: Execution) -> bool:
        """Whether a supervisor has it after all; if not, none ever will. Raises OSError."""
        spool = execution.spool
        unclaimed = not spool.has(record.CLAIM) and spool.bar()
        # Claimed at the last moment, it may be by a supervisor that the earlier agent started.
        return not unclaimed and self._supervisors.adopt(execution.id, spool)

    def _settle(self, execution: Execution) -> str:
        """Finds the result that there may be, or says why none will be found. Raises OSError, as
        long as there is hope."""
        try:
            execution.spool.settle()
        except OSError as error:
            new = self._unreadable.is_new(execution.id, error)
            if new or not self._unreadable.is_gone(execution.id):
                raise
            return f"what it left cannot be read: {error.strerror}"
        self._unreadable.forget(execution.id)
        return ""

    async def _bury(self, execution: Execution, problem: str, lost: str) -> None:
        """Says how it ended. Raises OSError; then nothing is said, and it may be done again."""
        execution.refresh()
        if execution.ended:
            self._ended(execution)
            return
        if problem:
            detail = f"the agent cannot start a supervisor: {problem}"
            await self._end(execution, "failed", "spawn_failed", detail)
            return
        killed, survivors = 0, list[str]()
        details = [lost or "its supervisor died under it, or the host did"]
        if execution.spool.is_copy():
            details = ["it runs under another agent, of whose state folder this is a copy"]
        else:
            owner = execution.spool.owner()
            killed, survivors = await asyncio.to_thread(kill_leftovers, execution.id, owner)
        if killed:
            details.append(f"{killed} of its processes were killed")
        if survivors:
            details.append("still alive, out of the agent's reach: " + ", ".join(survivors[:20]))
        if last_words := execution.spool.last_words():
            details.append(f"it said: {last_words}")
        more = {**execution.remains(), "kill_incomplete": int(bool(survivors))}
        await self._end(execution, "failed", "interrupted", "; ".join(details), **more)
