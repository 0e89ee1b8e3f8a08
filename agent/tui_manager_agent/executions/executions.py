"""All executions of one manager: what the manager says of them, and what the journal answers."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions import result
from tui_manager_agent.executions.containment import check_limits
from tui_manager_agent.executions.execution import Execution, State
from tui_manager_agent.executions.fifo_listener import Bell
from tui_manager_agent.executions.order import is_execution_id, order_for
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.executions.runner import Runner
from tui_manager_agent.identity.identity import Identity
from tui_manager_agent.journal.ack_compactor import Leaving
from tui_manager_agent.journal.disk_thread import Disk
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.spool import UNKNOWN, Spool
from tui_manager_agent.journal.spool_quota import Shelf
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.settings import SPOOL_LIMIT
from tui_manager_agent.supervisor.cgroup import Place

SWEEP_EVERY = 24 * 3600.0  # seconds
_LOG = logging.getLogger(__name__)


class Executions:
    """What this agent holds for its manager. Messages are handled one at a time, in order."""

    def __init__(
        self,
        identity: Identity,
        outbox: Outbox,
        policy: PolicyFile,
        capacity: int,
        spool_limit: int = SPOOL_LIMIT,
        place: Place | None = None,
    ) -> None:
        """Opens the journal and takes up what an earlier agent left. Raises OSError.

        Args:
            spool_limit: bytes that output of ended executions may take until it is acknowledged.
            place: where commands get cgroups; None: they do not.
        """
        self._place = place
        self._boot_id = identity.boot_id
        self._outbox = outbox
        self._policy = policy
        self._journal = Journal(identity.manager_dir())
        self._held: dict[str, Execution] = {}
        self._disk = Disk()
        self._leaving = Leaving(self._journal, self._disk)
        self._shelf = Shelf(spool_limit)
        self._runner = Runner(
            self._held,
            outbox,
            self._disk,
            self._shelf,
            policy,
            capacity=capacity,
            boot_id=identity.boot_id,
            place=place,
        )
        self.turns = self._runner.turns
        self._bell = Bell(identity.state_dir, self._runner.look_at)
        for execution_id in self._journal.held():
            execution = self._hold(execution_id)
            execution.hush()
            self._runner.restore(execution)

    async def serve(self) -> None:
        """Works until it is cancelled; what runs then runs on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._runner.serve())
            tasks.create_task(self._leaving.serve())
            tasks.create_task(self._sweep())

    def close(self) -> None:
        """Call when nothing works any more; returns when everything is written."""
        self._bell.close()
        self._disk.close()
        self._leaving.close()
        self._journal.close()

    def begin_session(self) -> list[wire.HeldExecution]:
        """Everything held, for Hello; nothing more is said of it until Resume."""
        for execution in self._held.values():
            execution.hush()
        return [execution.held() for execution in self._held.values()]

    async def run(self, message: wire.RunCommand) -> None:
        execution_id = message.execution_id
        if not is_execution_id(execution_id):
            _LOG.error("not a UUID, left alone: execution_id=%r", execution_id[:64])
            return
        if await self._answer_from_journal(execution_id):
            return
        execution = self._hold(execution_id)
        await self._runner.begin(execution, partial(self._accept, message, execution.spool))

    def _accept(self, message: wire.RunCommand, spool: Spool) -> dict[str, str]:
        """Journals what may run, and returns its order. Raises RefusedError, OSError."""
        order = order_for(message, bell=self._bell.path, boot_id=self._boot_id)
        check_limits(order, self._place)
        self._policy.admit(order)
        spool.accept(order)
        return {key: str(value) for key, value in order.items()}

    async def cancel(self, message: wire.CancelCommand) -> None:
        execution_id = message.execution_id
        if not is_execution_id(execution_id):
            _LOG.error("not a UUID, left alone: execution_id=%r", execution_id[:64])
            return
        execution = self._held.get(execution_id)
        if execution is not None:
            waiting = execution.state is State.ACCEPTED
            if waiting or message.mode != wire.CANCEL_MODE_ONLY_IF_NOT_STARTED:
                await self._runner.kill(execution)
        elif not await self._answer_from_journal(execution_id):
            tombstone = self._hold(execution_id)
            await self._runner.end(tombstone, "canceled", detail="canceled before it arrived")

    async def resume(self, message: wire.Resume) -> None:
        execution = self._held.get(message.execution_id)
        if execution is None:
            return
        if message.action == wire.RESUME_ACTION_UNKNOWN:
            execution.silent = True
            await self._mark(execution, execution.spool.note)
        elif message.action == wire.RESUME_ACTION_STORED:
            self._forget(execution)
        else:
            await self._mark(execution, execution.spool.drop_note)
            execution.resume(message.offsets)
            self._outbox.put(execution)
            if message.action == wire.RESUME_ACTION_CANCEL:
                await self._runner.kill(execution)

    async def acknowledge(self, message: wire.Acknowledge) -> None:
        for acknowledged in message.executions:
            execution = self._held.get(acknowledged.execution_id)
            if execution is None:
                continue
            execution.stored(acknowledged.offsets)
            if acknowledged.result:
                self._forget(execution)
            else:
                self._outbox.put(execution)

    async def _mark(self, execution: Execution, change: Callable[[str], None]) -> None:
        """Sets or drops the mark of what the manager does not know. Where the disk fails, the next
        stream's Resume does it."""
        try:
            await self._disk.do(change, UNKNOWN)
        except OSError as error:
            _LOG.error("mark not changed: execution_id=%s error=%s", execution.id, error)

    def _hold(self, execution_id: str) -> Execution:
        spool = self._journal.spool(execution_id)
        execution = Execution(execution_id, spool, self._boot_id)
        self._held[execution_id] = execution
        return execution

    async def _answer_from_journal(self, execution_id: str) -> bool:
        """Says again what is known of an execution; False if nothing is."""
        execution = self._held.get(execution_id)
        if execution is None:
            known = self._leaving.find(execution_id)
            if known is None and self._journal.may_know(execution_id):
                known = await self._disk.do(self._known, execution_id)
            if known is None:
                return False
            execution = self._hold(execution_id)
            execution.result = known
            execution.refresh()
        execution.silent = False
        execution.repeat()
        self._outbox.put(execution)
        return True

    def _known(self, execution_id: str) -> dict[str, str] | None:
        try:
            return self._journal.acknowledged(execution_id)
        except (ValueError, OSError) as error:
            _LOG.error("journal unreadable: execution_id=%s error=%s", execution_id, error)
            detail = "it ended and was acknowledged; how, the host's journal no longer says"
            lost = result.of_the_agent(self._boot_id, "failed", "interrupted", detail)
            return {key: str(value) for key, value in lost.items()}

    def _forget(self, execution: Execution) -> None:
        """The manager has everything; its folder goes soon, with others."""
        if execution.result:
            self._leaving.put(execution.id, execution.result)
            self._let_go(execution)

    def _let_go(self, execution: Execution) -> None:
        self._held.pop(execution.id, None)
        self._shelf.take(execution.id)
        self._outbox.drop(execution)

    async def _sweep(self) -> None:
        """What the manager does not know has its age limit; the journal applied it at the start."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            for execution in list(self._held.values()):
                if execution.ended and self._journal.has_outlived(execution.spool):
                    _LOG.warning("unknown for too long, removed: execution_id=%s", execution.id)
                    self._let_go(execution)
                    await self._disk.do(execution.spool.remove)
