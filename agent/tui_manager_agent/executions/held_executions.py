"""The executions that this agent holds for its manager. All of them end in one way, also those that
are refused. `log_executions.py` logs each end."""

import logging
from collections.abc import Iterator

from tui_manager_agent.executions.execution import Execution, State
from tui_manager_agent.executions.log_executions import log_end
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.executions.run_queue import RunQueue
from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.journal.spool_quota import SpoolQuota

_LOG = logging.getLogger(__name__)


class HeldExecutions:
    """All executions by id, from their order until the manager has everything of them.

    An execution ends in two ways: its supervisor writes a result, which `refresh` finds, or the
    agent writes one with `end`. What follows is the same for both.
    """

    def __init__(
        self,
        journal: Journal,
        disk: DiskThread,
        queue: RunQueue,
        outbox: Outbox,
        quota: SpoolQuota,
        *,
        boot_id: str,
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._queue = queue
        self._outbox = outbox
        self._quota = quota
        self._boot_id = boot_id
        self._by_id: dict[str, Execution] = {}

    def __iter__(self) -> Iterator[Execution]:
        """The executions that are held now. Some may be removed during the iteration."""
        return iter(list(self._by_id.values()))

    def find(self, execution_id: str) -> Execution | None:
        return self._by_id.get(execution_id)

    def add(self, execution_id: str) -> Execution:
        execution = Execution(execution_id, self._journal.spool(execution_id), self._boot_id)
        self._by_id[execution_id] = execution
        return execution

    def remove(self, execution: Execution) -> None:
        """Removes it from the held executions. The caller removes its folder."""
        self._by_id.pop(execution.id, None)
        self._quota.remove(execution.spool)
        self._outbox.remove(execution)

    def refresh(self, execution: Execution) -> None:
        """Reads what a supervisor has written, and reports it."""
        if execution.ended or execution.state is State.ACCEPTED:
            return
        if not self.check_ended(execution):
            self._outbox.add(execution)

    def check_ended(self, execution: Execution) -> bool:
        """Whether a supervisor has written a result, which is then reported."""
        execution.read_folder()
        if execution.ended:
            self._finish(execution)
        return execution.ended

    def refresh_by_id(self, execution_id: str) -> None:
        """As `refresh`, if the execution is held."""
        if execution := self._by_id.get(execution_id):
            self.refresh(execution)

    async def end(self, execution: Execution, result: Result) -> None:
        """Ends an execution that no supervisor will end.

        If the disk is full, the result is kept in memory only. After a restart it then counts as
        interrupted, and does not run.

        Args:
            result: without the time and the boot of the end, which are now.
        """
        if execution.ended:
            return
        result = result.ended_now(self._boot_id)
        execution.state = State.ENDED
        execution.order = None
        self._queue.release(execution.id)
        try:
            await self._disk.run(execution.spool.write_result, result)
        except OSError as error:
            _LOG.error("result not on disk: execution_id=%s error=%s", execution.id, error)
        execution.set_result(result)
        self._finish(execution)

    def count_contents(self, execution: Execution, size: int) -> None:
        """Counts the bytes of the script and the input of an order until its execution ends."""
        if size and not execution.ended:
            self._quota.add_needed(execution.spool, size)

    def keep(self, execution: Execution) -> None:
        """Reports an execution that has ended, and counts its output until it is acknowledged."""
        self._quota.add(execution.spool)
        self._outbox.add(execution)

    def _finish(self, execution: Execution) -> None:
        self._queue.release(execution.id)
        self.keep(execution)
        log_end(execution)
