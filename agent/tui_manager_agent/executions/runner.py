"""Starts executions in turn, each with a supervisor or as a transfer, and cancels them at any
stage."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from tui_manager_agent.executions.execution import Execution, State
from tui_manager_agent.executions.held_executions import HeldExecutions
from tui_manager_agent.executions.log_executions import log_cancel, log_start
from tui_manager_agent.executions.run_queue import RunQueue
from tui_manager_agent.executions.supervisors import CHECK_EVERY, Supervisors
from tui_manager_agent.executions.transfers.transfers import Transfers
from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Order, Result
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.policy.policy_file import PolicyFile

_LOG = logging.getLogger(__name__)


class Runner:
    """Starts executions in turn, and passes cancels on to their supervisors or transfers."""

    def __init__(
        self,
        held: HeldExecutions,
        queue: RunQueue,
        supervisors: Supervisors,
        transfers: Transfers,
        disk: DiskThread,
        policy: PolicyFile,
    ) -> None:
        self._held = held
        self._queue = queue
        self._supervisors = supervisors
        self._transfers = transfers
        self._disk = disk
        self._policy = policy
        self._failed_cancels: dict[str, Execution] = {}
        self._has_failed_cancels = asyncio.Event()
        self._is_serving = False

    async def serve(self) -> None:
        """Works until it is cancelled. Commands that run at that time go on."""
        self._is_serving = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._start_in_turn())
                tasks.create_task(self._retry_cancels())
        finally:
            self._is_serving = False
            self._supervisors.close()

    # ----------------------------------------------------------------------------------- starting

    async def begin(self, execution: Execution, accept: Callable[[], Order]) -> None:
        """Journals an execution, and starts it when it is its turn. If none waits, that is now.

        Args:
            accept: journals it, and returns the order. Raises RefusedError, OSError.
        """
        if self._is_serving and self._queue.try_reserve(execution.id):
            await self._run_to_completion(self._begin_at_once(execution, accept))
            return
        try:
            execution.order = order = await self._disk.run(accept)
        except (RefusedError, OSError) as error:
            await self._fail(execution, error, "write its journal")
        else:
            self._held.count_contents(execution, order.contents_size)
            self._queue.add(execution)

    async def _begin_at_once(self, execution: Execution, accept: Callable[[], Order]) -> None:
        """Does the same as for an execution that has waited, but with one call in the thread of the
        disk."""
        try:
            order, is_late = await self._disk.run(_accept_and_start, execution.spool, accept)
        except (RefusedError, OSError) as error:
            await self._fail(execution, error, "write its journal")
            return
        if is_late:
            self._queue.release(execution.id)
            execution.order = order
            self._queue.add(execution)
        else:
            execution.state = State.STARTING
            await self._launch(execution, order)

    async def _start_in_turn(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._queue.next_expiry()):
                    await self._queue.changed.wait()
            except TimeoutError:
                pass
            self._queue.changed.clear()
            await self._end_expired()
            while (execution := self._queue.pop_ready()) is not None:
                await self._run_to_completion(self._start(execution))
                if execution.state is State.ACCEPTED:  # it waits for the state folder
                    break
                await self._end_expired()

    async def _run_to_completion(self, starting: Coroutine[None, None, None]) -> None:
        """Finishes a start also if the agent is asked to stop meanwhile: the order then has a
        supervisor, or waits for the next agent. A fork server that takes no orders is not waited
        for."""
        task = asyncio.ensure_future(starting)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._supervisors.close()
            await task
            raise

    async def _end_expired(self) -> None:
        while (execution := self._queue.pop_expired()) is not None:
            detail = "it waited on the host past the time by which it had to start"
            result = Result(status="failed", reason="undeliverable", detail=detail)
            await self._held.end(execution, result)

    async def _start(self, execution: Execution) -> None:
        order = execution.order
        if order is None:  # it has ended
            self._queue.release(execution.id)
            return
        execution.state, execution.order = State.STARTING, None
        try:
            await self._disk.run(self._check_and_mark_starting, execution.spool, order)
        except (RefusedError, OSError) as error:
            if execution.spool.is_out_of_reach():
                self._wait_for_folder(execution, order)
            else:
                await self._fail(execution, error, "start a supervisor")
        else:
            await self._launch(execution, order)

    def _check_and_mark_starting(self, spool: ExecutionFolder, order: Order) -> None:
        """The owner may have changed the policy while the order waited."""
        self._policy.require_allowed(order.request)
        spool.mark_starting()

    def _wait_for_folder(self, execution: Execution, order: Order) -> None:
        """The state folder with its order was moved away. The execution waits for another turn."""
        _LOG.error("not started, its folder is away: execution_id=%s", execution.id)
        execution.state, execution.order = State.ACCEPTED, order
        self._queue.put_back(execution)
        asyncio.get_running_loop().call_later(CHECK_EVERY, self._queue.changed.set)

    async def _launch(self, execution: Execution, order: Order) -> None:
        if order.transfer is not None:
            self._transfers.start(execution, order)
            return
        try:
            if await self._supervisors.start_supervisor(execution.id, execution.spool):
                log_start(execution)
            else:  # this agent stops; the next one starts it
                await self._disk.run(execution.spool.return_to_accepted)
        except OSError as error:
            await self._fail(execution, error, "start a supervisor")

    async def _fail(self, execution: Execution, error: RefusedError | OSError, what: str) -> None:
        if isinstance(error, RefusedError):
            result = Result(status="failed", reason=error.reason, detail=str(error))
        else:
            detail = f"the agent cannot {what}: {error.strerror}"
            result = Result(status="failed", reason="spawn_failed", detail=detail)
        await self._held.end(execution, result)

    # ---------------------------------------------------------------------------------- canceling

    async def cancel(self, execution: Execution) -> None:
        """Cancels at any stage. If the request cannot reach a supervisor now, it is sent later."""
        if execution.state is State.ACCEPTED:
            result = Result(status="canceled", detail="canceled before it started")
            await self._held.end(execution, result)
        elif not execution.ended:
            log_cancel(execution)
            await self._request_cancel(execution)

    async def _request_cancel(self, execution: Execution) -> None:
        self._transfers.cancel(execution)
        try:
            await self._disk.run(execution.spool.request_cancel)
        except OSError as error:
            _LOG.error("not canceled, again later: execution_id=%s error=%s", execution.id, error)
            self._failed_cancels[execution.id] = execution
            self._has_failed_cancels.set()

    async def _retry_cancels(self) -> None:
        while True:
            await self._has_failed_cancels.wait()
            await asyncio.sleep(CHECK_EVERY)
            self._has_failed_cancels.clear()
            failed, self._failed_cancels = self._failed_cancels, {}
            for execution in failed.values():
                if not execution.ended:
                    await self._request_cancel(execution)


def _accept_and_start(spool: ExecutionFolder, accept: Callable[[], Order]) -> tuple[Order, bool]:
    """Returns an order, and whether it came too late; then it is not started."""
    order = accept()
    if order.is_late:
        return order, True
    spool.mark_starting()
    return order, False
