"""The copies, fetches and updates that run on this host, from their start to their result.

A transfer is done by the agent itself, in one thread, without a supervisor. How far it is, is on
the disk. If the agent is killed, the next one continues from there.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.executions.held_executions import HeldExecutions
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.executions.supervisors import CHECK_EVERY
from tui_manager_agent.executions.transfers.file_messages import Channel, FileMessages
from tui_manager_agent.executions.transfers.transfer_thread import (
    HANGS,
    NoAnswerFromDiskError,
    Transfer,
    discard_later,
    start_thread,
)
from tui_manager_agent.files.copy.copy_work import CopyWork
from tui_manager_agent.files.copy.piece_requests import PieceRequests
from tui_manager_agent.files.fetch.fetch_answers import FetchAnswers
from tui_manager_agent.files.fetch.read_files import ReadFiles
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StoppedError, TransferError, TransferWork
from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.order_and_result import Order, Result
from tui_manager_agent.journal.transfer_records import CopyOrder, UpdateOrder
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.supervisor import clock, record
from tui_manager_agent.update.start_new_version import Switch, Updates
from tui_manager_agent.update.update_work import Prepared, UpdateWork

PROGRESS_EVERY = 1.0  # seconds
STOP_WITHIN = 5.0  # seconds that an agent that ends waits for a thread, which its disk may hold up
_MAY_APPEAR = (
    "A file may still appear there, and a part of one may be left: .tui-manager.{}.*.part."
)
_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class Transfers:
    """Runs the works of transfers, and ends their executions.

    A transfer is canceled, or its time is over, only once its thread has ended: then nothing is
    written any more. If the thread hangs, the result says so (`kill_incomplete`). The work checks
    whether to stop before each change, so at most the call that hangs still has an effect.
    """

    def __init__(
        self,
        held: HeldExecutions,
        disk: DiskThread,
        outbox: Outbox,
        policy: PolicyFile,
        own: ProtectedFiles,
        updates: Updates,
        *,
        boot_id: str,
    ) -> None:
        self._held = held
        self._disk = disk
        self._outbox = outbox
        self._messages: FileMessages = outbox.files
        self._policy = policy
        self._own = own
        self._updates = updates
        self._boot_id = boot_id
        self._running: dict[str, Transfer] = {}
        self._to_run: asyncio.Queue[Transfer] = asyncio.Queue()

    async def serve(self) -> None:
        """Works until it is cancelled; then the works are stopped, and the next agent goes on."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                transfer = await self._to_run.get()
                tasks.create_task(self._run_to_result(transfer, tasks))

    def start(self, execution: Execution, order: Order) -> None:
        """Runs a transfer whose order is `starting`. It has its capacity already."""
        transfer = Transfer(execution, order)
        execution.is_update = isinstance(order.transfer, UpdateOrder)
        self._running[execution.id] = transfer
        self._to_run.put_nowait(transfer)

    def restore(self, execution: Execution) -> bool:
        """Goes on with a transfer that an earlier agent had started. False if it is none.

        Raises OSError, ValueError if its order cannot be read.
        """
        order = execution.spool.transfer_order()
        if order is not None:
            self.start(execution, order)
        return order is not None

    def cancel(self, execution: Execution) -> None:
        """Stops a transfer, if it is one that runs."""
        if transfer := self._running.get(execution.id):
            transfer.end("canceled")

    # --------------------------------------------------------------------------- from start to end

    async def _run_to_result(self, transfer: Transfer, tasks: asyncio.TaskGroup) -> None:
        execution = transfer.execution
        try:
            while (result := await self._attempt(transfer, tasks)) is None:
                _LOG.error("its folder is away, again later: execution_id=%s", execution.id)
                await asyncio.sleep(CHECK_EVERY)
        except Exception as error:
            result = _broken_off(transfer, error)
        if execution.is_update and result.reason == "transfer_failed":
            result = replace(result, reason="update_failed")
        await self._held.end(execution, result)
        del self._running[execution.id]

    async def _attempt(self, transfer: Transfer, tasks: asyncio.TaskGroup) -> Result | None:
        """Does the rest of the work, and returns the result. None if the state folder was moved
        away: try again later."""
        channel, work = self._make(transfer)
        result: Result | None
        try:
            result = await self._work_and_discard(transfer, channel, work)
        except NoAnswerFromDiskError as error:
            tasks.create_task(discard_later(transfer, work, error.running))
            result = _hangs(transfer, Result(status=transfer.ending))
        if result is None:
            return None
        duration = clock.now() - transfer.started if transfer.started else None
        return replace(result, started=transfer.started, duration=duration)

    async def _work_and_discard(
        self, transfer: Transfer, channel: Channel, work: TransferWork
    ) -> Result | None:
        """None as of `_attempt`. Raises NoAnswerFromDiskError: nothing is known of what it left."""
        try:
            await self._disk.run(self._begin, transfer)
            transfer.execution.begin_transfer(transfer.started)
            self._outbox.add(transfer.execution)
            result = await self._work(transfer, channel, work)
        except OSError as error:
            if transfer.execution.spool.is_out_of_reach():
                return None
            result = _failed(f"The agent cannot use its own folder: {error.strerror}.")
        except RefusedError as error:
            result = _failed(str(error), error.reason)
        return await self._discard(transfer, work, result)

    def _make(self, transfer: Transfer) -> tuple[Channel, TransferWork]:
        """A work that has not run yet, and what it says to the manager and is told."""
        execution, what, stop = transfer.execution, transfer.order.transfer, transfer.stop
        wake = self._messages.waker(execution.id)
        folder, rest = execution.spool.folder, (self._policy, self._own, stop)
        if isinstance(what, UpdateOrder):
            pull = PieceRequests(wake, stop)
            here, state_dir = self._updates.here, self._updates.state_dir
            return pull, UpdateWork(
                what, execution.id, folder, pull, self._policy, here, state_dir, stop
            )
        if isinstance(what, CopyOrder):
            pull = PieceRequests(wake, stop)
            return pull, CopyWork(what, execution.id, folder, pull, *rest)
        if what is None:
            raise ValueError(f"the execution {execution.id} is no transfer")
        answers = FetchAnswers(wake, stop)
        return answers, ReadFiles(what, execution.id, folder, answers, *rest)

    def _begin(self, transfer: Transfer) -> None:
        """Notes that it runs. Its order is judged once more: it may have waited, or another agent
        may have begun it. Raises RefusedError, OSError."""
        spool = transfer.execution.spool
        transfer.started = spool.begin_transfer(self._boot_id)
        if spool.has(record.CANCEL):
            transfer.end("canceled")
        elif transfer.left <= 0:
            transfer.end("timeout")
        else:
            self._policy.require_allowed(transfer.order.request)

    async def _work(self, transfer: Transfer, channel: Channel, work: TransferWork) -> Result:
        """Runs the work, unless it was told to stop before. Raises OSError, RefusedError."""
        if transfer.ending:
            return Result(status=transfer.ending)
        _LOG.info("transfer runs: execution_id=%s", transfer.execution.id)
        self._messages.add(transfer.execution, channel)
        try:
            done = await self._in_thread(transfer, work, work.run)
        except StoppedError:
            return Result(status=transfer.ending)
        except TransferError as error:
            return _failed(str(error))
        except (OSError, RefusedError, NoAnswerFromDiskError):
            raise
        except Exception as error:
            return _broken_off(transfer, error)
        finally:
            self._messages.remove(transfer.execution)
        if isinstance(work, UpdateWork) and work.prepared is not None:
            return await self._switch(transfer, work.prepared)
        return Result(status="completed", detail=done.detail, transfer=done)

    async def _switch(self, transfer: Transfer, prepared: Prepared) -> Result:
        """Lets the agent become the new version as soon as it can, and does not return then."""
        here = self._updates.here.name
        what = Switch(execution_id=transfer.execution.id, old=here, prepared=prepared)
        while not transfer.ending:
            if self._updates.begin_switch(what):
                await asyncio.Event().wait()  # until this agent has ended
            await asyncio.sleep(max(0.0, min(PROGRESS_EVERY, transfer.left)))
            if transfer.left <= 0:
                transfer.end("timeout")
        return Result(status=transfer.ending)

    async def _discard(
        self, transfer: Transfer, work: TransferWork, result: Result
    ) -> Result | None:
        """Removes what must not stay, before the result can say so. None as of `_attempt`."""
        try:
            await self._in_thread(transfer, work, work.discard, is_last=True)
        except NoAnswerFromDiskError:
            return _hangs(transfer, result)
        except OSError as error:
            if transfer.execution.spool.is_out_of_reach():
                return None
            _LOG.error("not removed: execution_id=%s error=%s", transfer.execution.id, error)
            left = f"A part of a file is left on the host: {error}."
            result = replace(result, detail=f"{result.detail} {left}".strip())
        return result

    async def _in_thread(
        self,
        transfer: Transfer,
        work: TransferWork,
        call: Callable[[], _T],
        *,
        is_last: bool = False,
    ) -> _T:
        """Runs a call of the work in a thread, and waits for its end. Raises what it raises, and
        NoAnswerFromDiskError if it does not end in time once its work was told to.

        Args:
            is_last: it is to end at once.
        """
        running = start_thread(transfer, call)
        loop = asyncio.get_running_loop()
        due = loop.time() + transfer.grace if is_last else math.inf
        try:
            while not running.done():
                await self._watch(transfer, work, running)
                if transfer.ending:
                    due = min(due, loop.time() + transfer.grace)
                if loop.time() >= due and not running.done():
                    raise NoAnswerFromDiskError(running)
        except asyncio.CancelledError:  # the agent ends
            transfer.stop.set()
            done, _ = await asyncio.wait((running,), timeout=STOP_WITHIN)
            if not done or running.exception():
                _LOG.info("transfer left to the next agent: execution_id=%s", transfer.execution.id)
            raise
        return running.result()

    async def _watch(
        self, transfer: Transfer, work: TransferWork, running: "asyncio.Future[_T]"
    ) -> None:
        """Waits for a moment. Reports how far it is, and stops it when its time is over."""
        pause = PROGRESS_EVERY if transfer.ending else min(PROGRESS_EVERY, transfer.left)
        await asyncio.wait((running,), timeout=max(pause, 0.0))
        if not transfer.ending and transfer.left <= 0:
            transfer.end("timeout")
        execution = transfer.execution
        if execution.set_progress(work.bytes, work.files):
            self._outbox.add(execution)


def _broken_off(transfer: Transfer, error: Exception) -> Result:
    """The result after a fault of this program. A fault in one transfer must not end the agent."""
    _LOG.error("broken off: execution_id=%s", transfer.execution.id, exc_info=error)
    return _failed(f"The agent has failed: {type(error).__name__}: {error}.")


def _hangs(transfer: Transfer, result: Result) -> Result:
    """What becomes of a result if a thread of the work has not ended."""
    _LOG.error("its file system does not answer: execution_id=%s", transfer.execution.id)
    is_copy = isinstance(transfer.order.transfer, CopyOrder)
    more = _MAY_APPEAR.format(transfer.execution.id) if is_copy else ""
    detail = " ".join(filter(None, (result.detail, HANGS, more)))
    return replace(result, detail=detail, kill_incomplete=True)


def _failed(detail: str, reason: str = "transfer_failed") -> Result:
    return Result(status="failed", reason=reason, detail=detail)
