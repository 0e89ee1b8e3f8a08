"""What waits to be said to the manager: which executions have news, gathered into reports."""

import asyncio

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.execution import Execution

WINDOW = 1024 * 1024  # bytes of one execution under way, unless the manager says otherwise
REPORT = 768 * 1024  # bytes of a report; the smallest limit on messages in use is 4 MiB


class Outbox:
    """Executions with news, in turn, each once.

    Attributes:
        window: bytes of one execution that may be under way unacknowledged.
    """

    def __init__(self) -> None:
        self.window = WINDOW
        self._waiting: dict[str, Execution] = {}
        self._news = asyncio.Event()

    def put(self, execution: Execution) -> None:
        """Something about an execution may have changed."""
        self._waiting[execution.id] = execution
        self._news.set()

    def wake(self) -> None:
        """Ends a wait without news."""
        self._news.set()

    async def wait(self) -> None:
        """Until somebody has news."""
        await self._news.wait()

    def report(self) -> wire.Report:
        """What can be said now, a chunk of each execution in turn, up to REPORT bytes."""
        report = wire.Report()
        budget = REPORT
        while self._waiting and budget > 0:
            execution = self._waiting.pop(next(iter(self._waiting)))
            used = execution.tell(report, budget, self.window)
            budget -= used
            if used:
                self._waiting[execution.id] = execution
        if not self._waiting:
            self._news.clear()
        return report
