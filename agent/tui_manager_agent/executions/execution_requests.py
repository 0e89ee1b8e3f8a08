"""What the manager's messages do to the executions of this agent."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.execution import Execution, State
from tui_manager_agent.executions.held_executions import HeldExecutions
from tui_manager_agent.executions.orders.cgroup_support import check_limits, remove_empty_regularly
from tui_manager_agent.executions.orders.make_order import files_of, is_execution_id, make_order
from tui_manager_agent.executions.orders.script_copies import ScriptCopies
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.executions.recovery import Recovery
from tui_manager_agent.executions.run_queue import RunQueue
from tui_manager_agent.executions.runner import Runner
from tui_manager_agent.executions.supervisors import FifoListener
from tui_manager_agent.executions.transfers.transfers import Transfers
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.installation import Installation
from tui_manager_agent.journal.ack_compactor import AckCompactor
from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.execution_folder import UNKNOWN, ExecutionFolder
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.order_and_result import Order, Result
from tui_manager_agent.journal.spool_quota import SpoolQuota
from tui_manager_agent.journal.transfer_records import UpdateOrder
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.settings import SPOOL_LIMIT
from tui_manager_agent.supervisor import clock, record
from tui_manager_agent.supervisor.processes.cgroup import CgroupRoot
from tui_manager_agent.update.start_new_version import Updates
from tui_manager_agent.update.versions import why_no_update

EXPIRE_EVERY = 24 * 3600.0  # seconds
_LOG = logging.getLogger(__name__)


class ExecutionRequests:
    """The executions of one manager. Messages are handled one at a time, in order.

    Attributes:
        queue: who waits for capacity, and who uses it.
    """

    def __init__(
        self,
        identity: Identity,
        outbox: Outbox,
        policy: PolicyFile,
        capacity: int,
        spool_limit: int = SPOOL_LIMIT,
        cgroup_root: CgroupRoot | None = None,
        *,
        updates: Updates | None = None,
        on_trial: str = "",
    ) -> None:
        """Opens the journal and continues what an earlier agent left. Raises OSError.

        Args:
            spool_limit: bytes that output of ended executions may take until it is acknowledged.
            cgroup_root: where commands get cgroups; None: they do not.
            updates: None: this agent cannot be updated.
            on_trial: the update of which a record of a trial tells. `end_update` ends it.
        """
        self._updates = updates or Updates(Installation(), identity.state_dir, lambda _: False)
        self._cgroup_root = cgroup_root
        self._boot_id = identity.boot_id
        self._outbox = outbox
        self._policy = policy
        self._journal = Journal(identity.manager_dir())
        self._disk = DiskThread()
        self._compactor = AckCompactor(self._journal, self._disk)
        self.queue = RunQueue(capacity)
        self._held = HeldExecutions(
            self._journal,
            self._disk,
            self.queue,
            outbox,
            SpoolQuota(spool_limit),
            boot_id=identity.boot_id,
        )
        own = ProtectedFiles(identity.state_dir, policy.path, self._updates.here.root)
        self._transfers = Transfers(
            *(self._held, self._disk, outbox, policy, own, self._updates), boot_id=identity.boot_id
        )
        self._recovery = Recovery(
            self._held,
            self.queue,
            self._transfers,
            boot_id=identity.boot_id,
            cgroup_root=cgroup_root,
        )
        self._runner = Runner(
            self._held,
            self.queue,
            self._recovery.supervisors,
            self._transfers,
            self._disk,
            policy,
        )
        self._copies = ScriptCopies(identity.journal_id)
        self._fifo = FifoListener(identity.state_dir, self._held.refresh_by_id)
        self._restore(on_trial)

    def _restore(self, on_trial: str) -> None:
        for execution_id in self._journal.held_ids():
            execution = self._held.add(execution_id)
            execution.begin_session()
            if execution_id == on_trial:
                self._recovery.hold(execution)
            else:
                self._recovery.restore(execution)

    async def serve(self) -> None:
        """Works until it is cancelled. Commands that run at that time go on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._runner.serve())
            tasks.create_task(self._recovery.serve())
            tasks.create_task(self._transfers.serve())
            tasks.create_task(self._compactor.serve())
            tasks.create_task(self._remove_expired())
            if os.geteuid() == 0:  # else there are no commands of other users
                tasks.create_task(self._copies.remove_regularly(self._held, self._disk))
            if self._cgroup_root is not None:
                tasks.create_task(remove_empty_regularly(self._cgroup_root, self._held, self._disk))

    def close(self) -> None:
        """Call when nothing works any more; returns when everything is written."""
        self._fifo.close()
        self._disk.close()
        self._compactor.close()
        self._journal.close()

    def begin_session(self) -> list[wire.HeldExecution]:
        """Returns all held executions, for Hello. Nothing more of them is reported until Resume."""
        for execution in self._held:
            execution.begin_session()
        self._outbox.files.begin_session()
        return [execution.for_hello() for execution in self._held]

    async def run(self, message: wire.RunCommand) -> None:
        execution_id = message.execution_id
        if not is_execution_id(execution_id):
            _LOG.error("not a UUID, left alone: execution_id=%r", execution_id[:64])
            return
        if await self._answer_from_journal(execution_id):
            return
        execution = self._held.add(execution_id)
        await self._runner.begin(execution, partial(self._accept, message, execution.spool))

    def _accept(self, message: wire.RunCommand, spool: ExecutionFolder) -> Order:
        """Journals what may run, and returns its order. Raises RefusedError, OSError."""
        order = make_order(
            message,
            fifo=self._fifo.path,
            boot_id=self._boot_id,
            copy_path=self._copies.path,
        )
        check_limits(order, self._cgroup_root)
        if isinstance(order.transfer, UpdateOrder):
            self._check_update(message.execution_id)
        self._policy.require_allowed(order.request)
        spool.accept(order, files_of(message))
        return order

    def _check_update(self, execution_id: str) -> None:
        """Raises RefusedError unless this agent can update itself, and no other update is under
        way."""
        if problem := why_no_update(self._updates.here):
            raise RefusedError("rejected", problem)
        for other in self._held:
            if other.is_update and not other.ended and other.id != execution_id:
                problem = f"another update of this agent is not over: {other.id}"
                raise RefusedError("rejected", problem)
        if execution := self._held.find(execution_id):
            execution.is_update = True

    async def end_update(self, execution_id: str, result: Result) -> bool:
        """Ends the update that was on trial. False if its result is not on the disk."""
        execution = self._held.find(execution_id)
        if execution is None or execution.ended:
            return True
        started = execution.spool.transfer_started(self._boot_id)
        duration = clock.now() - started if started else None
        await self._held.end(execution, replace(result, started=started, duration=duration))
        return execution.spool.has(record.RESULT)

    async def cancel(self, message: wire.CancelCommand) -> None:
        execution_id = message.execution_id
        if not is_execution_id(execution_id):
            _LOG.error("not a UUID, left alone: execution_id=%r", execution_id[:64])
            return
        execution = self._held.find(execution_id)
        if execution is not None:
            waiting = execution.state is State.ACCEPTED
            if waiting or message.mode != wire.CANCEL_MODE_ONLY_IF_NOT_STARTED:
                await self._runner.cancel(execution)
        elif not await self._answer_from_journal(execution_id):
            # A tombstone is the result of a command that never ran. If the command comes later, it
            # is not run.
            tombstone = self._held.add(execution_id)
            result = Result(status="canceled", detail="canceled before it arrived")
            await self._held.end(tombstone, result)

    async def resume(self, message: wire.Resume) -> None:
        execution = self._held.find(message.execution_id)
        if execution is None:
            return
        if message.action == wire.RESUME_ACTION_UNKNOWN:
            execution.reporting = False
            await self._change_mark(execution, execution.spool.set_mark)
        elif message.action == wire.RESUME_ACTION_STORED:
            self._forget(execution)
        else:
            await self._change_mark(execution, execution.spool.clear_mark)
            execution.resume(message.offsets)
            self._outbox.add(execution)
            if message.action == wire.RESUME_ACTION_CANCEL:
                await self._runner.cancel(execution)

    async def acknowledge(self, message: wire.Acknowledge) -> None:
        for acknowledged in message.executions:
            execution = self._held.find(acknowledged.execution_id)
            if execution is None:
                continue
            execution.acknowledge(acknowledged.offsets)
            if acknowledged.result:
                self._forget(execution)
            else:
                self._outbox.add(execution)

    async def _change_mark(self, execution: Execution, change: Callable[[str], None]) -> None:
        """Sets or clears the mark of what the manager does not know. If the disk fails, the Resume
        of the next stream does it."""
        try:
            await self._disk.run(change, UNKNOWN)
        except OSError as error:
            _LOG.error("mark not changed: execution_id=%s error=%s", execution.id, error)

    async def _answer_from_journal(self, execution_id: str) -> bool:
        """Reports again what is known of an execution. False if nothing is known."""
        execution = self._held.find(execution_id)
        if execution is None:
            result = await self._acknowledged_result(execution_id)
            if result is None:
                return False
            execution = self._held.add(execution_id)
            execution.set_result(result)
        execution.reporting = True
        execution.report_again()
        self._outbox.add(execution)
        return True

    async def _acknowledged_result(self, execution_id: str) -> Result | None:
        if result := self._compactor.find(execution_id):
            return result
        if not self._journal.may_know(execution_id):
            return None
        return await self._disk.run(self._read_acknowledged, execution_id)

    def _read_acknowledged(self, execution_id: str) -> Result | None:
        try:
            return self._journal.acknowledged(execution_id)
        except (ValueError, OSError) as error:
            _LOG.error("journal unreadable: execution_id=%s error=%s", execution_id, error)
            detail = "it ended and was acknowledged; how, the host's journal no longer says"
            lost = Result(status="failed", reason="interrupted", detail=detail)
            return lost.ended_now(self._boot_id)

    def _forget(self, execution: Execution) -> None:
        """The manager has everything; the folder is compacted soon."""
        if execution.result is not None:
            self._compactor.add(execution.id, execution.result)
            self._held.remove(execution)

    async def _remove_expired(self) -> None:
        """Removes executions that the manager does not know and that are too old. The journal
        applied this limit at the start."""
        while True:
            await asyncio.sleep(EXPIRE_EVERY)
            for execution in self._held:
                if execution.ended and self._journal.is_expired(execution.spool):
                    _LOG.warning("unknown for too long, removed: execution_id=%s", execution.id)
                    self._held.remove(execution)
                    await self._disk.run(execution.spool.remove)
