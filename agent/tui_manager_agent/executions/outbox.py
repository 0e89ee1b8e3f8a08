"""Executions that have something new for the manager, collected into reports, and the messages of
transfers, which are sent after the reports."""

import asyncio

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.executions.transfers.file_messages import FileMessages

RETRY_AFTER = 2.0  # seconds until output that could not be read is read again
WINDOW = 1024 * 1024  # bytes of one execution under way, unless the manager says otherwise
REPORT = 768 * 1024  # bytes of a report, unless the manager's limit on messages is lower


class Outbox:
    """Executions with news, in turn, each once.

    Attributes:
        files: what running transfers have to send.
    """

    def __init__(self) -> None:
        self.files = FileMessages(self.wake)
        self._window = WINDOW
        self._limit = REPORT
        self._pending: dict[str, Execution] = {}
        self._to_retry: set[str] = set()
        self._has_news = asyncio.Event()

    def add(self, execution: Execution) -> None:
        """Something about an execution may have changed."""
        self._pending[execution.id] = execution
        self.files.set_ready(execution.id)
        self._has_news.set()

    def remove(self, execution: Execution) -> None:
        """Nothing more is to be reported about an execution."""
        self._pending.pop(execution.id, None)
        self._to_retry.discard(execution.id)
        self.files.forget(execution.id)

    def set_limits(self, *, window: int, max_message: int) -> None:
        """Takes the manager's limits in bytes, 0 for the usual ones. Ends a wait under old ones.

        Args:
            window: of one execution, under way unacknowledged.
            max_message: of one message; half of it is left for what surrounds the output.
        """
        self._window = window or WINDOW
        self._limit = min(REPORT, max_message // 2) if max_message else REPORT
        self._has_news.set()

    def wake(self) -> None:
        """Ends a wait, because there is something to send that is not in this outbox."""
        self._has_news.set()

    async def wait(self) -> None:
        """Returns when there is something to report."""
        await self._has_news.wait()

    def report(self) -> wire.Report:
        """What can be reported now: a chunk of each execution in turn, up to the limit."""
        report = wire.Report()
        budget = self._limit
        while self._pending and budget > 0:
            execution = self._pending.pop(next(iter(self._pending)))
            used = execution.add_to(report, budget, self._window)
            budget -= used
            if used:
                self._pending[execution.id] = execution
            elif execution.read_failed:
                self._retry_later(execution)
        if not self._pending:
            self._has_news.clear()
        return report

    def file_message(self) -> wire.AgentMessage | None:
        """The next message of a transfer, if there is one. It is sent after a report, so that the
        many bytes of files delay no report."""
        message = self.files.next_message()
        if self.files.has_any:
            self._has_news.set()
        return message

    def _retry_later(self, execution: Execution) -> None:
        if execution.id not in self._to_retry:
            self._to_retry.add(execution.id)
            asyncio.get_running_loop().call_later(RETRY_AFTER, self._retry, execution)

    def _retry(self, execution: Execution) -> None:
        if execution.id in self._to_retry:
            self._to_retry.remove(execution.id)
            self.add(execution)
